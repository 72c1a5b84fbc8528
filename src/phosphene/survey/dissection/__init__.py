"""Network dissection: concepts, how units and concepts meet, and what was found."""
