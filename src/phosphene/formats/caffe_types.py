"""What the three generations of Caffe call a layer's type.

The names of the present generation (V2: `type: "Convolution"`) are used throughout phosphene. V1
had an enum, by name in text (`type: CONVOLUTION`) and by number in binary; V0, of 2013, had words.

*Reference*: `caffe.proto` and `util/upgrade_proto.cpp` of Caffe 1.0.
"""

from __future__ import annotations

# number in V1's binary files: (name in V1's text files, name today)
_V1 = {
    0: ("NONE", ""), 1: ("ACCURACY", "Accuracy"), 2: ("BNLL", "BNLL"), 3: ("CONCAT", "Concat"),
    4: ("CONVOLUTION", "Convolution"), 5: ("DATA", "Data"), 6: ("DROPOUT", "Dropout"),
    7: ("EUCLIDEAN_LOSS", "EuclideanLoss"), 8: ("FLATTEN", "Flatten"),
    9: ("HDF5_DATA", "HDF5Data"),
    10: ("HDF5_OUTPUT", "HDF5Output"), 11: ("IM2COL", "Im2col"), 12: ("IMAGE_DATA", "ImageData"),
    13: ("INFOGAIN_LOSS", "InfogainLoss"), 14: ("INNER_PRODUCT", "InnerProduct"),
    15: ("LRN", "LRN"),
    16: ("MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"), 17: ("POOLING", "Pooling"),
    18: ("RELU", "ReLU"), 19: ("SIGMOID", "Sigmoid"), 20: ("SOFTMAX", "Softmax"),
    21: ("SOFTMAX_LOSS", "SoftmaxWithLoss"), 22: ("SPLIT", "Split"), 23: ("TANH", "TanH"),
    24: ("WINDOW_DATA", "WindowData"), 25: ("ELTWISE", "Eltwise"), 26: ("POWER", "Power"),
    27: ("SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"), 28: ("HINGE_LOSS", "HingeLoss"),
    29: ("MEMORY_DATA", "MemoryData"), 30: ("ARGMAX", "ArgMax"), 31: ("THRESHOLD", "Threshold"),
    32: ("DUMMY_DATA", "DummyData"), 33: ("SLICE", "Slice"), 34: ("MVN", "MVN"),
    35: ("ABSVAL", "AbsVal"), 36: ("SILENCE", "Silence"),
    37: ("CONTRASTIVE_LOSS", "ContrastiveLoss"),
    38: ("EXP", "Exp"), 39: ("DECONVOLUTION", "Deconvolution"),
}  # fmt: skip

_V1_WORDS = dict(_V1.values())

_V0 = {
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution",
    "data": "Data", "dropout": "Dropout", "euclidean_loss": "EuclideanLoss", "flatten": "Flatten",
    "hdf5_data": "HDF5Data", "hdf5_output": "HDF5Output", "im2col": "Im2col",
    "images": "ImageData", "infogain_loss": "InfogainLoss", "innerproduct": "InnerProduct",
    "lrn": "LRN", "multinomial_logistic_loss": "MultinomialLogisticLoss", "padding": "Padding",
    "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss", "split": "Split", "tanh": "TanH",
    "window_data": "WindowData",
}  # fmt: skip


def kind_of_number(number: int) -> str:
    """Return today's name for V1's enum value in a binary file.

    >>> kind_of_number(4)
    'Convolution'
    """
    return _V1.get(number, ("", f"V1 type {number}"))[1]


def kind_of_word(word: str) -> str:
    """Return today's name for a type in V1's text files; an unknown word is returned as it is.

    >>> kind_of_word("INNER_PRODUCT"), kind_of_word("MY_LAYER")
    ('InnerProduct', 'MY_LAYER')
    """
    return kind_of_number(int(word)) if word.isdigit() else _V1_WORDS.get(word, word)


def kind_of_old_word(word: str) -> str:
    """Return today's name for a type in V0's files; an unknown word is returned as it is.

    >>> kind_of_old_word("innerproduct")
    'InnerProduct'
    """
    return _V0.get(word, word)
