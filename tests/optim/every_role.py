"""A small model with a parameter in every role but that of a tied embedding."""

import torch
from torch import nn


class Block(nn.Module):
    """Something in every role."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 6)
        self.hidden = nn.Linear(6, 8)
        self.patches = nn.Conv1d(8, 4, 3)
        self.experts = nn.Parameter(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)))
        self.norm = nn.LayerNorm(5)
        self.head = nn.Linear(5, 11)

    def forward(self, tokens):
        rows = self.hidden(self.tokens(tokens)).relu()
        rows = self.patches(rows.mT).mT.relu()
        return self.head(self.norm((rows.unsqueeze(1) @ self.experts).mean(1)))
