"""Networks in plain PyTorch for encoder_torch.py: V-JEPA 2 and 2.1, the Perception Encoder's image tower, InternVideo2.

They compute what the official code computes, written for speed on processors: rotary factors are made once for a size of clip,
attention keeps one matrix of scores, which softmax overwrites. Parameters bear the names of the official checkpoints; the Perception
Encoder's are renamed to those of the others (`pe_names`). `encoder_torch.py --check` compares them with recorded outputs.

Inference only: run them under torch.no_grad().
"""

import torch
from torch import nn
from torch.nn import functional as F

THETA = 10000


def rotary_factors(positions, width, tiled=False):
    """Factors that turn the channel pairs of a head over several axes.

    positions: [L] of each axis. width: channels of a head, of which each axis turns an equal, even number; the rest stays as it is.
    tiled: frequencies w0 w1 … w0 w1 … over an axis' channels instead of w0 w0 w1 w1 …

    Returns (own, mirrored), each [L, width/2] complex: a pair z becomes own·z + mirrored·conj(z). mirrored is None unless the two
    channels of a pair turn by different angles.
    """
    part = width // len(positions) // 2 * 2
    frequencies = THETA ** (-torch.arange(part // 2, dtype=torch.float64) / (part // 2))
    channels = frequencies.repeat(2) if tiled else frequencies.repeat_interleave(2)
    angles = torch.cat([place.double()[:, None] * channels for place in positions], 1)
    first, second = F.pad(angles, (0, width - angles.shape[1])).unflatten(1, (width // 2, 2)).unbind(2)
    own = torch.complex(first.cos() + second.cos(), first.sin() + second.sin()) / 2
    mirrored = torch.complex(first.cos() - second.cos(), second.sin() - first.sin()) / 2
    return own.to(torch.complex64), mirrored.to(torch.complex64) if tiled else None


def rotate(x, factors):
    """Turns queries or keys [B,heads,L,d]."""
    own, mirrored = factors
    pairs = torch.view_as_complex(x.unflatten(3, (x.shape[3] // 2, 2)))
    turned = pairs * own
    if mirrored is not None:
        turned.addcmul_(pairs.conj(), mirrored)
    return torch.view_as_real(turned).flatten(3)


def to_heads(x, heads):
    """[B,L,C] -> [B,heads,L,C/heads]"""
    return x.unflatten(2, (heads, x.shape[2] // heads)).transpose(1, 2)


def attend(q, k, v):
    """Queries, keys and values [B,heads,L,d] -> [B,L,heads·d]"""
    scores = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)
    torch.softmax(scores, 3, out=scores)
    return (scores @ v).transpose(1, 2).flatten(2)


def grid_positions(*sizes):
    """Indices of every token along each axis, [L] each; the last axis runs fastest."""
    return [axis.flatten() for axis in torch.meshgrid(*map(torch.arange, sizes), indexing="ij")]


class Mlp(nn.Module):
    def __init__(self, width, hidden, approximate="none"):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.approximate = approximate

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate=self.approximate))


class RotaryAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads = heads

    def forward(self, x, factors):
        q, k, v = (to_heads(part, self.heads) for part in self.qkv(x).chunk(3, 2))
        return self.proj(attend(rotate(q, factors), rotate(k, factors), v))


class RotaryBlock(nn.Module):
    def __init__(self, width, heads, epsilon):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.attn = RotaryAttention(width, heads)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x, factors):
        x = x + self.attn(self.norm1(x), factors)
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    """Clips [B,3,T,H,W] -> tokens [B,L,C] and their grid."""

    def __init__(self, width, kernel):
        super().__init__()
        self.proj = nn.Conv3d(3, width, kernel, kernel)

    def forward(self, clips):
        embedded = self.proj(clips)
        return embedded.flatten(2).transpose(1, 2).contiguous(), tuple(embedded.shape[2:])


class Cached:
    """A function of a grid, called once for each."""

    def __init__(self, make):
        self.make, self.known = make, {}

    def __call__(self, grid):
        if grid not in self.known:
            self.known[grid] = self.make(grid)
        return self.known[grid]


class Vjepa2(nn.Module):
    """Clips [B,3,T,H,W] -> map [B,T/2,H/patch,W/patch,C]"""

    def __init__(self, width, depth, heads, patch):
        super().__init__()
        self.patch_embed = PatchEmbedding(width, (2, patch, patch))
        self.blocks = nn.ModuleList([RotaryBlock(width, heads, 1e-6) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, 1e-6)
        self.factors = Cached(lambda grid: rotary_factors(grid_positions(*grid), width // heads, tiled=True))

    def before_norm(self, clips):
        x, grid = self.patch_embed(clips)
        for block in self.blocks:
            x = block(x, self.factors(grid))
        return x.unflatten(1, grid)

    def forward(self, clips):
        return self.norm(self.before_norm(clips))


class Vjepa21(nn.Module):
    """Clips [B,3,T,H,W] -> map [B,T/2,H/patch,W/patch,C]; clips of one frame are pictures. Positions are stretched to the grid of
    the pictures of training."""

    def __init__(self, width, depth, heads, patch):
        super().__init__()
        self.patch_embed = PatchEmbedding(width, (2, patch, patch))
        self.patch_embed_img = PatchEmbedding(width, (1, patch, patch))
        self.video_mod_embed = nn.Parameter(torch.zeros(1, 1, width))
        self.img_mod_embed = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList([RotaryBlock(width, heads, 1e-6) for _ in range(depth)])
        self.norms_block = nn.ModuleList([nn.LayerNorm(width, 1e-6) for _ in range(4)])
        self.levels = [depth * (i + 1) // 4 - 1 for i in range(4)]
        side = {14: 18, 16: 16}[patch]

        def factors(grid):
            time, row, column = grid_positions(*grid)
            stretched = [time, row * (side - 1) / (grid[1] - 1), column * (side - 1) / (grid[2] - 1)]
            return rotary_factors(stretched, width // heads)

        self.factors = Cached(factors)

    def states(self, clips, kept):
        """Outputs of the blocks `kept`."""
        picture = clips.shape[2] == 1
        x, grid = (self.patch_embed_img if picture else self.patch_embed)(clips)
        x = x + (self.img_mod_embed if picture else self.video_mod_embed)
        states = []
        for i, block in enumerate(self.blocks):
            x = block(x, self.factors(grid))
            if i in kept:
                states.append(x.unflatten(1, grid))
        return states

    def hierarchical(self, clips):
        states = self.states(clips, self.levels)
        return torch.cat([norm(state) for norm, state in zip(self.norms_block, states)], 4)

    def forward(self, clips):
        [last] = self.states(clips, self.levels[-1:])
        return self.norms_block[3](last)


class Probe(nn.Module):
    """One learned query over all tokens [B,L,C], then an MLP: [B,C]"""

    def __init__(self, width):
        super().__init__()
        self.probe = nn.Parameter(torch.randn(1, 1, width))
        self.attn = nn.MultiheadAttention(width, 8, batch_first=True)
        self.layernorm = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, tokens):
        probe = self.probe.expand(len(tokens), -1, -1)
        y = self.attn(probe, tokens, tokens, need_weights=False)[0][:, 0]
        return y + self.mlp(self.layernorm(y))


class PerceptionEncoder(nn.Module):
    """Images [B,3,H,W] -> map [B,H/patch,W/patch,C] and embedding [B,E]; the frames of a clip are images."""

    def __init__(self, width, depth, heads, patch, side, embedding):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn(1 + side * side, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList([RotaryBlock(width, heads, 1e-5) for _ in range(depth)])
        self.attn_pool = Probe(width)
        self.proj = nn.Parameter(torch.randn(width, embedding))
        self.side = side

        def factors(grid):
            rows, columns = (F.pad(places + 1, (1, 0)) for places in grid_positions(*grid))
            return rotary_factors([columns, rows], width // heads)

        self.factors = Cached(factors)

    def positions(self, grid):
        if grid == (self.side, self.side):
            return self.positional_embedding
        table = self.positional_embedding[1:].T.unflatten(1, (self.side, self.side))
        resized = F.interpolate(table[None], grid, mode="bilinear", align_corners=False)[0]
        return torch.cat([self.positional_embedding[:1], resized.flatten(1).T])

    def tokens(self, images):
        """Before the last norm, the class token first: [B,1+L,C], and the grid."""
        embedded = self.conv1(images)
        grid = tuple(embedded.shape[2:])
        class_token = self.class_embedding.expand(len(images), 1, -1)
        x = torch.cat([class_token, embedded.flatten(2).transpose(1, 2)], 1) + self.positions(grid)
        x = self.ln_pre(x)
        for block in self.blocks:
            x = block(x, self.factors(grid))
        return x, grid

    def forward(self, images):
        x, grid = self.tokens(images)
        x = self.ln_post(x)
        return x[:, 1:].unflatten(1, grid), self.attn_pool(x) @ self.proj

    def video_embedding(self, clips):
        """Clips [B,T,3,H,W] -> [B,E]"""
        embedding = self(clips.flatten(0, 1))[1]
        return F.normalize(embedding, dim=1).unflatten(0, clips.shape[:2]).mean(1)


def pe_names(name):
    """The name here of what the official checkpoint of the Perception Encoder has as `visual.<name>`."""
    for official, here in (
        ("transformer.resblocks.", "blocks."),
        ("c_fc.", "fc1."),
        ("c_proj.", "fc2."),
        ("ln_1.", "norm1."),
        ("ln_2.", "norm2."),
    ):
        name = name.replace(official, here)
    if name.startswith("blocks."):
        name = name.replace(".in_proj_", ".qkv.").replace(".out_proj.", ".proj.")
    return name


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x, branch):
        return torch.addcmul(x, branch, self.gamma)


class NormedAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.q_norm, self.k_norm = RmsNorm(width), RmsNorm(width)
        self.heads = heads

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, 2)
        parts = (self.q_norm(q), self.k_norm(k), v)
        return self.proj(attend(*(to_heads(part, self.heads) for part in parts)))


class RmsBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.attn = NormedAttention(width, heads)
        self.mlp = Mlp(width, 4 * width, "tanh")
        self.ls1, self.ls2 = LayerScale(width), LayerScale(width)

    def forward(self, x):
        x = self.ls1(x, self.attn(self.norm1(x)))
        return self.ls2(x, self.mlp(self.norm2(x)))


class CrossAttention(nn.Module):
    def __init__(self, width, heads, out):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.q_bias, self.k_bias, self.v_bias = (nn.Parameter(torch.zeros(width)) for _ in range(3))
        self.proj = nn.Linear(width, out)
        self.heads = heads

    def forward(self, query, key, value):
        q = F.linear(query, self.q.weight, self.q_bias)
        k = F.linear(key, self.k.weight, self.k_bias)
        v = F.linear(value, self.v.weight, self.v_bias)
        return self.proj(attend(*(to_heads(part, self.heads) for part in (q, k, v))))[:, 0]


class MeanQuery(nn.Module):
    """The mean of all tokens asks all tokens [B,L,C]: [B,E]"""

    def __init__(self, width, heads, out):
        super().__init__()
        self.norm1_q, self.norm1_k, self.norm1_v = (nn.LayerNorm(width) for _ in range(3))
        self.cross_attn = CrossAttention(width, heads, out)

    def forward(self, x):
        return self.cross_attn(self.norm1_q(x.mean(1, keepdim=True)), self.norm1_k(x), self.norm1_v(x))


class InternVideo2(nn.Module):
    """Clips [B,3,T,H,H] -> map [B,T,H/patch,H/patch,C] and logits [B,classes]"""

    def __init__(self, width, depth, heads, patch, grid, classes, pooled=768):
        super().__init__()
        self.patch_embed = PatchEmbedding(width, (1, patch, patch))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid[0] * grid[1] * grid[2], width))
        self.blocks = nn.ModuleList([RmsBlock(width, heads) for _ in range(depth)])
        self.clip_projector = MeanQuery(width, 16, pooled)
        self.fc_norm = nn.LayerNorm(pooled)
        self.head = nn.Linear(pooled, classes)
        self.grid = grid

    def positions(self, grid):
        """The table, resized first in time, then in space where a clip's grid is not the trained one."""
        if grid == self.grid:
            return self.pos_embed
        time, rows, columns = self.grid
        table = self.pos_embed[0, 1:].unflatten(0, (time, rows * columns)).permute(1, 2, 0)
        table = F.interpolate(table, grid[0], mode="linear", align_corners=False)
        table = table.permute(2, 1, 0).unflatten(2, (rows, columns))
        table = F.interpolate(table, grid[1:], mode="bicubic", align_corners=False)
        return torch.cat([self.pos_embed[:, :1], table.flatten(2).transpose(1, 2).flatten(0, 1)[None]], 1)

    def tokens(self, clips):
        """The class token first: [B,1+L,C], and the grid."""
        embedded, grid = self.patch_embed(clips)
        x = torch.cat([self.cls_token.expand(len(clips), -1, -1), embedded], 1) + self.positions(grid)
        for block in self.blocks:
            x = block(x)
        return x, grid

    def forward(self, clips):
        x, grid = self.tokens(clips)
        return x[:, 1:].unflatten(1, grid), self.head(self.fc_norm(self.clip_projector(x)))
