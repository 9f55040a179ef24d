"""The annotator network: a trunk that reads samples, and a context that reads seconds; PyTorch.

The trunk (125 -> 25 -> 5 Hz and back) finds waves and beats and looks ahead by less than a second; the context
(5 Hz -> 1 Hz) tells rhythms and looks ahead by less than six. All convolutions have a finite reach and the grid is
the recording's own, so that cutting a recording differently changes nothing: live equals batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

N_WAVES = 4  # P, QRS, T, and a peak at each beat
N_LIKELY = 3  # AF, AFL, VF
N_CLASSES = 4  # N A O ~


@dataclass(frozen=True, slots=True)
class Size:
    """Channels at each rate."""

    fine: int = 16  # 125 Hz
    middle: int = 56  # 25 Hz
    coarse: int = 96  # 5 Hz
    context: int = 64  # 5 Hz and 1 Hz


class Conv(nn.Module):
    """Convolution, batch norm, ReLU; `ahead` taps (times dilation) look forward, the others back."""

    def __init__(self, n_in: int, n_out: int, taps: int, ahead: int, *, dilation: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d(((taps - 1 - ahead) * dilation, ahead * dilation), 0.0)
        self.conv = nn.Conv1d(n_in, n_out, taps, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(self.pad(x))))


class Residual(nn.Module):
    """x + two-thirds of a thought: one dilated convolution and a pointwise one."""

    def __init__(self, n: int, ahead: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = Conv(n, n, 3, ahead, dilation=dilation)
        self.mix = nn.Conv1d(n, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = x + self.mix(self.conv(x))
        return mixed


class Trunk(nn.Module):
    """(batch, 2, 125 n) -> wave logits (batch, 4, 125 n), features (batch, coarse, 5 n), noise logits (batch, 1, 5 n).

    Ahead: 4 samples in, 5 down, 8 frames of 40 ms, 4 down, 1 frame of 200 ms, 1 and 2 on the way back: 0.75 s.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.fine = Conv(2, size.fine, 9, 4)
        self.to_middle = Conv(size.fine, size.middle, 11, 5, stride=5)
        self.middle = nn.Sequential(*(Residual(size.middle, 1, d) for d in (1, 2, 2, 2, 1)))
        self.to_coarse = Conv(size.middle, size.coarse, 7, 4, stride=5)
        self.coarse = nn.Sequential(
            Residual(size.coarse, 1),
            *(Residual(size.coarse, 0, d) for d in (2, 4, 8, 16)),
        )
        self.down = nn.Conv1d(size.coarse, size.middle, 1)
        self.joined = Residual(size.middle, 1)
        self.up = nn.Conv1d(size.middle, 5 * size.fine, 1)
        self.last = Conv(2 * size.fine, 24, 5, 2)
        self.waves = nn.Conv1d(24, N_WAVES, 1)
        self.noise = nn.Conv1d(size.coarse, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.fine(x)
        middle = self.middle(self.to_middle(fine))
        coarse = self.coarse(self.to_coarse(middle))
        down = self.down(coarse)
        n_batch, n_channels, n_coarse = down.shape
        spread = down.unsqueeze(3).expand(-1, -1, -1, 5).reshape(n_batch, n_channels, 5 * n_coarse)
        middle = self.joined(torch.relu(middle + spread))
        up = self.up(middle)  # every 40 ms five samples
        up = up.reshape(n_batch, -1, 5, middle.shape[2]).transpose(2, 3).reshape(n_batch, -1, 5 * middle.shape[2])
        return self.waves(self.last(torch.cat((fine, up), 1))), coarse, self.noise(coarse)


class Context(nn.Module):
    """Coarse features (batch, coarse, 5 n) -> what each second is.

    likely (batch, 3, n): AF, AFL, VF; attention and value of the recording's classes N, A, O, ~ (batch, 8, n); an
    embedding (batch, context, n). Ahead: 7 frames of 200 ms, 1 s, then 3 s: 5.4 s.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        n = size.context
        self.enter = nn.Conv1d(size.coarse, n, 1)
        self.frames = nn.Sequential(*(Residual(n, 1, d) for d in (1, 2, 4)))
        self.to_seconds = Conv(n, n, 7, 5, stride=5)
        self.seconds = nn.Sequential(Residual(n, 1), Residual(n, 1, 2), *(Residual(n, 0, d) for d in (4, 8)))
        self.likely = nn.Conv1d(n, N_LIKELY, 1)
        self.classes = nn.Conv1d(n, 2 * N_CLASSES, 1)

    def forward(self, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seconds = self.seconds(self.to_seconds(self.frames(self.enter(coarse))))
        return self.likely(seconds), self.classes(seconds), seconds


def pooled(classes: Tensor, recorded: Tensor) -> Tensor:
    """Logits (batch, 4) of a stretch from its seconds' attention and value; `recorded` (batch, n): 1 where real."""
    attention, value = classes.chunk(2, 1)
    weight = torch.softmax(attention + (recorded[:, None] - 1) * 1e4, 2)
    return (weight * value).sum(2)


class Annotator(nn.Module):
    """Both parts, as trained."""

    def __init__(self, size: Size | None = None) -> None:
        super().__init__()
        self.size = size or Size()
        self.trunk = Trunk(self.size)
        self.context = Context(self.size)

    def forward(self, x: Tensor, recorded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Waves (batch, 4, 125 n); AF, AFL, VF and noise of each second (batch, 4, n); classes (batch, 4)."""
        waves, coarse, noise = self.trunk(x)
        coarse = coarse * recorded.repeat_interleave(5, 1)[:, None]  # as the runtime does where nothing was recorded
        likely, classes, _ = self.context(coarse)
        return waves, torch.cat((likely, nn.functional.avg_pool1d(noise, 5)), 1), pooled(classes, recorded)
