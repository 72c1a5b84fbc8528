"""Tables 1, 2 and 3 of paper 001 (IJCV 2016) and table 5.1 of the thesis, as printed.

`dim.` is the number of channels, `ker.` the side of the filter, `size` and `stride` those of the
receptive field. Paper 001 prints `conv1'1` where the thesis has `conv1_1`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    kernel: int
    size: int
    stride: int
    channels: int


def _read(text: str) -> dict[str, Row]:
    columns: dict[str, list[str]] = {"layer": [], "ker.": [], "size": [], "stride": [], "dim.": []}
    for line in text.strip().splitlines():
        head, *cells = line.split()
        columns[head] += cells
    names, *numbers = columns.values()
    rows = zip(*(map(int, column) for column in numbers), strict=True)
    return {name.replace("'", "_"): Row(*row) for name, row in zip(names, rows, strict=True)}


ALEXNET = _read(
    """
    layer  conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5
    ker.      11     1     1     3     5     1     1     3     3     1     3     1     3
    size      11    11    11    19    51    51    51    67    99    99   131   131   163
    stride     4     4     4     8     8     8     8    16    16    16    16    16    16
    dim.      96    96    96    96   256   256   256   256   384   384   384   384   256
    layer  relu5 pool5   fc6 relu6   fc7 relu7   fc8  prob
    ker.       1     3     6     1     1     1     1     1
    size     163   195   355   355   355   355   355   355
    stride    16    32    32    32    32    32    32    32
    dim.     256   256  4096  4096  4096  4096  1000  1000
    """
)

VGG_M = _read(
    """
    layer  conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5
    ker.       7     1     1     3     5     1     1     3     3     1     3     1     3
    size       7     7     7    11    27    27    27    43    75    75   107   107   139
    stride     2     2     2     4     8     8     8    16    16    16    16    16    16
    dim.      96    96    96    96   256   256   256   256   512   512   512   512   512
    layer  relu5 pool5   fc6 relu6   fc7 relu7   fc8  prob
    ker.       1     3     6     1     1     1     1     1
    size     139   171   331   331   331   331   331   331
    stride    16    32    32    32    32    32    32    32
    dim.     512   512  4096  4096  4096  4096  1000  1000
    """
)

VGG_VD_16 = _read(
    """
    layer  conv1'1 relu1'1 conv1'2 relu1'2 pool1 conv2'1 relu2'1 conv2'2 relu2'2 pool2
    ker.         3       1       3       1     2       3       1       3       1     2
    size         3       3       5       5     6      10      10      14      14    16
    stride       1       1       1       1     2       2       2       2       2     4
    dim.        64      64      64      64    64     128     128     128     128   128
    layer  conv3'1 relu3'1 conv3'2 relu3'2 conv3'3 relu3'3 pool3
    ker.         3       1       3       1       3       1     2
    size        24      24      32      32      40      40    44
    stride       4       4       4       4       4       4     8
    dim.       256     256     256     256     256     256   256
    layer  conv4'1 relu4'1 conv4'2 relu4'2 conv4'3 relu4'3 pool4
    ker.         3       1       3       1       3       1     2
    size        60      60      76      76      92      92   100
    stride       8       8       8       8       8       8    16
    dim.       512     512     512     512     512     512   512
    layer  conv5'1 relu5'1 conv5'2 relu5'2 conv5'3 relu5'3 pool5
    ker.         3       1       3       1       3       1     2
    size       132     132     164     164     196     196   212
    stride      16      16      16      16      16      16    32
    dim.       512     512     512     512     512     512   512
    layer  fc6 relu6  fc7 relu7  fc8 prob
    ker.     7     1    1     1    1    1
    size   404   404  404   404  404  404
    stride  32    32   32    32   32   32
    dim.  4096  4096 4096  4096 1000 1000
    """
)

# Table 5.1: name, size and stride, for AlexNet, VGG-M and VGG-VD-16 side by side.
_THESIS = """
conv1  11   4   conv1   7  2   conv1_1   3   1
relu1  11   4   relu1   7  2   relu1_1   3   1
                               conv1_2   5   1
                               relu1_2   5   1
norm1  11   4   norm1   7  2
pool1  19   8   pool1  11  4   pool1     6   2
conv2  51   8   conv2  27  8   conv2_1  10   2
relu2  51   8   relu2  27  8   relu2_1  10   2
                               conv2_2  14   2
                               relu2_2  14   2
norm2  51   8   norm2  27  8
pool2  67  16   pool2  43 16   pool2    16   4
conv3  99  16   conv3  75 16   conv3_1  24   4
relu3  99  16   relu3  75 16   relu3_1  24   4
                               conv3_2  32   4
                               relu3_2  32   4
                               conv3_3  40   4
                               relu3_3  40   4
                               pool3    44   8
conv4 131  16   conv4 107 16   conv4_1  60   8
relu4 131  16   relu4 107 16   relu4_1  60   8
                               conv4_2  76   8
                               relu4_2  76   8
                               conv4_3  92   8
                               relu4_3  92   8
                               pool4   100  16
conv5 163  16   conv5 139 16   conv5_1 132  16
relu5 163  16   relu5 139 16   relu5_1 132  16
                               conv5_2 164  16
                               relu5_2 164  16
                               conv5_3 196  16
                               relu5_3 196  16
pool5 195  32   pool5 171 32   pool5   212  32
fc6   355  32   fc6   331 32   fc6     404  32
relu6 355  32   relu6 331 32   relu6   404  32
fc7   355  32   fc7   331 32   fc7     404  32
relu7 355  32   relu7 331 32   relu7   404  32
fc8   355  32   fc8   331 32   fc8     404  32
prob  355  32   prob  331 32   prob    404  32
"""


def _column(first: int) -> dict[str, tuple[int, int]]:
    # A line of one network is VGG-VD-16's, of two the other two's.
    rows = {}
    for line in _THESIS.strip().splitlines():
        cells = line.split()
        start = 3 * first - (6 if len(cells) == 3 else 0)
        if 0 <= start < len(cells):
            rows[cells[start]] = (int(cells[start + 1]), int(cells[start + 2]))
    return rows


THESIS = {"alexnet": _column(0), "vgg_m": _column(1), "vgg_vd_16": _column(2)}
