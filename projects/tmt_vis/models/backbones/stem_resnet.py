"""A ResNet that also gives the map of its first convolution."""

from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class StemResNet(ResNet):
    """mmdet's ResNet whose first output is that of its first convolution, stride 2.

    It is taken in front of norm and ReLU, as Video Mask Transfiner does. Parameters and
    arguments are mmdet's.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of stride 2 and of ``out_indices``.

        Args:
            x: ``(F, 3, H, W)``.
        """
        stem = self.conv1(x)
        # The ReLU works in place, on what a norm with frozen statistics has made.
        x = self.maxpool(self.relu(self.norm1(stem)))
        maps = [stem]
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)
