"""The architectures that are opened, and what is known of them from their papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Chain = Sequence[tuple[int, int]]


def field(chain: Chain) -> tuple[int, int]:
    """Return size and stride of the receptive field behind a chain of (kernel, stride)."""
    size, jump = 1, 1
    for kernel, stride in chain:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump


def stage(kernel: int, blocks: int, stride: int = 1) -> list[tuple[int, int]]:
    """Blocks with one spatial convolution each, the first of which may stride."""
    return [(kernel, stride), *[(kernel, 1)] * (blocks - 1)]


STEM = [(7, 2), (3, 2)]
# Of branches only the widest path counts. Squeezing gates see everything and count as none.
ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]
VGG_11 = [p for n in (1, 1, 2, 2, 2) for p in [*stage(3, n), (2, 2)]]
VGG_16 = [p for n in (2, 2, 3, 3, 3) for p in [*stage(3, n), (2, 2)]]
# Two convolutions in a block; the first of a stage strides.
RESNET_18 = [*STEM, *stage(3, 4), *stage(3, 4, 2), *stage(3, 4, 2), *stage(3, 4, 2)]
RESNET_34 = [*STEM, *stage(3, 6), *stage(3, 8, 2), *stage(3, 12, 2), *stage(3, 6, 2)]
# Bottlenecks that stride in their 3x3 ("v1.5"); in the paper the 1x1 before it does (483).
RESNET_50 = [*STEM, *stage(3, 3), *stage(3, 4, 2), *stage(3, 6, 2), *stage(3, 3, 2)]
RESNET_101 = [*STEM, *stage(3, 3), *stage(3, 4, 2), *stage(3, 23, 2), *stage(3, 3, 2)]
DENSENET_121 = [
    *STEM, *stage(3, 6), (2, 2), *stage(3, 12), (2, 2), *stage(3, 24), (2, 2), *stage(3, 16)
]  # fmt: skip
# torchvision's "5x5" branch is a 3x3, as it was in the weights it comes from.
GOOGLENET = [*STEM, (3, 1), (3, 2), *stage(3, 2), (3, 2), *stage(3, 5), (2, 2), *stage(3, 2)]
SQUEEZENET_1_0 = [*STEM, *stage(3, 3), (3, 2), *stage(3, 4), (3, 2), (3, 1)]
SQUEEZENET_1_1 = [(3, 2), (3, 2), *stage(3, 2), (3, 2), *stage(3, 2), (3, 2), *stage(3, 4)]
MOBILENET_V1 = [
    (3, 2), (3, 1), *stage(3, 2, 2), *stage(3, 2, 2), *stage(3, 6, 2), *stage(3, 2, 2)
]  # fmt: skip
MOBILENET_V2 = [
    (3, 2), (3, 1), *stage(3, 2, 2), *stage(3, 3, 2), *stage(3, 4, 2), *stage(3, 3),
    *stage(3, 3, 2), (3, 1),
]  # fmt: skip
MOBILENET_V3_SMALL = [(3, 2), (3, 2), *stage(3, 2, 2), (5, 2), *stage(5, 4), *stage(5, 3, 2)]
EFFICIENTNET_B0 = [
    (3, 2), (3, 1), *stage(3, 2, 2), *stage(5, 2, 2), *stage(3, 3, 2), *stage(5, 3),
    *stage(5, 4, 2), (3, 1),
]  # fmt: skip
MNASNET = [
    (3, 2), (3, 1), *stage(3, 3, 2), *stage(5, 3, 2), *stage(5, 3, 2), *stage(3, 2),
    *stage(5, 4, 2), (3, 1),
]  # fmt: skip
SHUFFLENET_V2 = [(3, 2), (3, 2), *stage(3, 4, 2), *stage(3, 8, 2), *stage(3, 4, 2)]
# Depths of the stages: table 5 and 6 of Radosavovic et al., CVPR 2020.
REGNET_X_400 = [(3, 2), *(p for n in (1, 2, 7, 12) for p in stage(3, n, 2))]
REGNET_Y_400 = [(3, 2), *(p for n in (1, 3, 6, 6) for p in stage(3, n, 2))]
CONVNEXT_TINY = [
    (4, 4), *stage(7, 3), (2, 2), *stage(7, 3), (2, 2), *stage(7, 9), (2, 2), *stage(7, 3)
]  # fmt: skip

# Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019,
# table 1. Its networks are those of TF-Slim; where torchvision's differ they are left out.
LITERATURE = {"alexnet": 195, "vgg_16": 212, "mobilenet_v1": 315, "inception_v3": 1311}


@dataclass(frozen=True)
class Opened:
    """One architecture and how it is opened.

    Attributes:
        name: For `open_network`, without `:random`.
        size: Side of the image it is shown; small, so that many can be tried.
        layer: A layer whose receptive field is known.
        field: Size and stride of it.
        double: Whether it is compared in double precision (the largest are not).
    """

    name: str
    size: int = 96
    layer: str = ""
    field: tuple[int, int] = (0, 0)
    double: bool = True


NETWORKS = (
    Opened("torchvision:alexnet", 96, "features.12", field(ALEXNET)),
    Opened("torchvision:vgg11", 64, "features.20", field(VGG_11)),
    Opened("torchvision:vgg16_bn", 64, "features.43", field(VGG_16), double=False),
    Opened("torchvision:googlenet", 96, "inception5b", field(GOOGLENET)),
    Opened("torchvision:inception_v3", 139, "Mixed_7c", (LITERATURE["inception_v3"], 32)),
    Opened("torchvision:resnet18", 96, "layer4", field(RESNET_18)),
    Opened("torchvision:resnet34", 96, "layer4", field(RESNET_34)),
    Opened("torchvision:resnet50", 96, "layer4", field(RESNET_50)),
    Opened("torchvision:resnet101", 96, "layer4", field(RESNET_101), double=False),
    Opened("torchvision:resnext50_32x4d", 96, "layer4", field(RESNET_50)),
    Opened("torchvision:densenet121", 96, "features.denseblock4", field(DENSENET_121)),
    Opened("torchvision:squeezenet1_0", 96, "features.12", field(SQUEEZENET_1_0)),
    Opened("torchvision:squeezenet1_1", 96, "features.12", field(SQUEEZENET_1_1)),
    Opened("torchvision:mobilenet_v2", 96, "features.18", field(MOBILENET_V2)),
    Opened("torchvision:mobilenet_v3_small", 96, "features.12", field(MOBILENET_V3_SMALL)),
    Opened("torchvision:efficientnet_b0", 96, "features.8", field(EFFICIENTNET_B0)),
    Opened("torchvision:regnet_x_400mf", 96, "trunk_output", field(REGNET_X_400)),
    Opened("torchvision:regnet_y_400mf", 96, "trunk_output", field(REGNET_Y_400)),
    Opened("torchvision:mnasnet0_5", 96, "layers.16", field(MNASNET)),
    Opened("torchvision:shufflenet_v2_x0_5", 96, "conv5", field(SHUFFLENET_V2)),
    Opened("torchvision:convnext_tiny", 96, "features.7", field(CONVNEXT_TINY)),
    Opened("torchvision:vit_b_32", 224, double=False),
    Opened("torchvision:swin_t", 96, double=False),
    Opened("timm:resnet18", 96, "layer4", field(RESNET_18)),
    Opened("timm:legacy_xception", 96),
    Opened("timm:nf_resnet26", 96),
    Opened("timm:repvgg_a0", 96),
    Opened("timm:efficientnet_lite0", 96),
    Opened("timm:res2net50_14w_8s", 96),
    Opened("timm:vit_tiny_patch16_224", 224),
    Opened("timm:convnext_atto", 96),
    Opened("timm:mixer_s32_224", 224),
    Opened("hf:resnet", 96, "resnet.encoder", field(RESNET_50)),
    Opened("hf:mobilenet_v1", 96, "mobilenet_v1.layer.25", field(MOBILENET_V1)),
    Opened("hf:regnet", 96),
    Opened("hf:convnext", 96, "convnext.encoder", field(CONVNEXT_TINY)),
    Opened("hf:swin", 224, double=False),
    Opened("hf:vit", 224, double=False),
)
