from __future__ import annotations

from pathlib import Path

import pytest
import torch

from phosphene.errors import FormatError
from phosphene.formats.caffe import load_caffe
from tests.formats import caffe_writer as write
from tests.formats.caffe_writer import HEADER, SIZE, layer, numbers

CONVOLUTION = HEADER + layer("Convolution", "convolution_param { num_output: 6 kernel_size: 3 }")
GOOD = [("out", "Convolution", [numbers(6, 4, 3, 3), numbers(6)])]


@pytest.mark.parametrize(
    ("text", "weights", "sentence"),
    [
        (HEADER + layer("Convolutoin"), GOOD, r"line 2: layer 'out' \(Convolutoin\) is of a type "
         r"that is not supported; did you mean 'Convolution'.*\?; known are AbsVal, BNLL, .*TanH"),
        (CONVOLUTION, [("conv1", "Convolution", GOOD[0][2])], "no layer described here has weights "
         "in .*caffemodel, which holds those of 'conv1'; give the .prototxt of the same network"),
        (CONVOLUTION, [("out", "Convolution", [])], "which holds those of none at all"),
        (CONVOLUTION + layer("PReLU", bottom="out", name="out2"), GOOD,
         r"layer 'out2' \(PReLU\) has no weights in .*did you mean 'out'\?; give"),
        (CONVOLUTION, [("out", "Convolution", [numbers(6, 4, 5, 5), numbers(6)])],
         r"needs weights of shape \(6, 4, 3, 3\), but the .caffemodel holds \(6, 4, 5, 5\)"),
        (CONVOLUTION, [("out", "Convolution", [numbers(6, 4, 3, 3)])],
         "needs 2 blobs of weights, but the .caffemodel holds 1"),
        (HEADER + layer("InnerProduct", "inner_product_param { num_output: 6 }"),
         [("out", "InnerProduct", [numbers(6, 5), numbers(6)])],
         r"needs weights of shape \(6, 396\), but the .caffemodel holds \(6, 5\)"),
        (HEADER + layer("InnerProduct", "inner_product_param { num_output: 6 axis: 2 }"),
         [("out", "InnerProduct", [numbers(6, 5)])], "has axis 2, and only 1 is supported"),
        (HEADER + layer("Convolution", "convolution_param { num_output: 6 }"), GOOD,
         "the field 'kernel_size' is missing"),
        (HEADER + layer("Convolution", "convolution_param { num_output: 6 kernel_size: 0 }"), GOOD,
         "count below 1"),
        (HEADER + layer("Convolution", "convolution_param { num_output: 6 kernel_size: 3 axis: 2}"),
         GOOD, "has axis 2, and only 1"),
        (HEADER + layer("Convolution", "convolution_param { num_output: 6 kernel_size: 1 group:3}"),
         GOOD, "cannot split 4 channels in and 6 out into 3 groups"),
        (HEADER + layer("Convolution", "convolution_param { num_output: 6 kernel_size: 30 }"),
         [("out", "Convolution", [numbers(6, 4, 30, 30), numbers(6)])],
         "leaves no map of its input, 4x9x11; the size declared .* too small"),
        (HEADER + layer("Scale", "scale_param { axis: 0 }"), [("out", "Scale", [numbers(4)])],
         "over other axes than the channels"),
        (HEADER + layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"), (),
         "pools by STOCHASTIC, and only MAX and AVE"),
        (HEADER + layer("Pooling", "pooling_param { kernel_size: 3 pad: 2 }"), (),
         "more than half of its windows"),
        (HEADER + layer("Pooling", "pooling_param { kernel_size: 3 stride: 0 }"), (), "below 1"),
        (HEADER + layer("Pooling", 'top: "mask" pooling_param { kernel_size: 3 }'), (),
         "writes the places of its maxima"),
        (HEADER + layer("LRN", "lrn_param { local_size: 4 }"), (), "normalizes over 4 neighbours"),
        (HEADER + layer("Softmax", "softmax_param { axis: 0 }"), (), "works along axis 0"),
        (HEADER + layer("Flatten", "flatten_param { axis: 2 }"), (), "flattens some axes only"),
        (HEADER + layer("Eltwise", "eltwise_param { operation: MEAN }"), (), "combines by MEAN"),
        (HEADER + layer("Eltwise", "eltwise_param { coeff: 1 }", "data data"), (),
         "has 1 coefficients for 2 maps"),
        (HEADER + layer("Pooling", "pooling_param { kernel_size: 2 }", name="a")
         + layer("Eltwise", "", "a data"), (), "different sizes: 4x8x10, 4x9x11"),
        (HEADER + layer("Pooling", "pooling_param { kernel_size: 2 }", name="a")
         + layer("Concat", "", "a data"), (), "do not fit each other: 4x8x10, 4x9x11"),
        (HEADER + layer("Crop", "crop_param { axis: 1 }", "data data"), (), "crops other axes"),
        (HEADER + layer("Crop", "crop_param { offset: 1 }", "data data"), (),
         r"crops 4x9x11 at \(1, 1\) out of 4x9x11"),
        (HEADER + layer("Slice", 'top: "b" slice_param { slice_point: [1, 2] }'), (),
         r"cannot cut 4 into 2 pieces at \(1, 2\)"),
        (HEADER + layer("ReLU", 'top: "b"'), (), "writes 2 blobs, where 1 can be had"),
        (HEADER + layer("ReLU", "", "rois"), (), "reads the blob 'rois', and nothing before it .* "
         "one image here, as the blob 'data'"),
        (HEADER + layer("ReLU", "", ""), (), "reads no blob"),
        ('input: "data"' + layer("ReLU"), (), "not declare the size of its input 'data'; add"),
        (layer("ReLU"), (), "does not say what feeds the network; begin it with"),
        ("net: 'train.prototxt' base_lr: 0.1", (), "describes no layers .a solver's settings"),
        (HEADER + 'layer { name: "d" type: "Input" }', (), "the network has no layers"),
        (HEADER + "layer { name: 'a' }", (), "line 2: the field 'type' is missing"),
        (HEADER + "layer {", (), "net.prototxt, line 2: expected a field's name or the '}'"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened(
    tmp_path: Path, text: str, weights: write.Layers, sentence: str
) -> None:
    path = write.save(tmp_path, text, weights or [("none", "ReLU", [])])
    with pytest.raises(FormatError, match=sentence) as caught:
        load_caffe(path)
    assert "\n" not in str(caught.value)


class TestFindingTheDescription:
    def test_same_name_then_deploy(self, tmp_path: Path) -> None:
        path = write.save(tmp_path, CONVOLUTION, GOOD)
        (tmp_path / "deploy.prototxt").write_text("nonsense")
        assert load_caffe(path).input_size == SIZE
        (tmp_path / "net.prototxt").replace(tmp_path / "deploy.prototxt")
        assert load_caffe(str(path)).input_size == SIZE
        (tmp_path / "deploy.prototxt").replace(tmp_path / "other.prototxt")
        assert load_caffe(path, tmp_path / "other.prototxt").input_size == SIZE
        with pytest.raises(FormatError, match=r"neither .*net.prototxt nor .*deploy.prototxt is"):
            load_caffe(path)
        with pytest.raises(FormatError, match=r"gone.prototxt cannot be read"):
            load_caffe(path, tmp_path / "gone.prototxt")

    def test_swapped_files(self, tmp_path: Path) -> None:
        path = write.save(tmp_path, CONVOLUTION, GOOD)
        with pytest.raises(FormatError, match=r"is text, .* give the .caffemodel first"):
            load_caffe(path.with_suffix(".prototxt"), path)
        with pytest.raises(FormatError, match=r"is binary, and a .prototxt is text; give"):
            load_caffe(path, path)


def test_weights_are_independent_of_the_file(tmp_path: Path) -> None:
    path = write.save(tmp_path, CONVOLUTION, GOOD)
    net = load_caffe(path)
    with torch.no_grad():
        net.get_submodule("out").weight.zero_()
    assert load_caffe(path).get_submodule("out").weight.abs().sum() > 0
    path.unlink()
    assert torch.equal(net(torch.zeros(1, 4, 3, 3))[0], torch.from_numpy(numbers(6)))
