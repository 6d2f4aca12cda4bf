"""Triton kernels: the twins of what the tensor families do in torch, used on a CUDA device where Triton is there.

The only place that imports triton. Under ``TRITON_INTERPRET=1`` they run on CPU tensors, which is how they are tested without a GPU.
"""
