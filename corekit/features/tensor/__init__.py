"""The features over batches of frames as torch tensors, on any device; ``kernels`` holds the Triton twins of what torch does slowly.

One module a family, as in ``corekit.features``, which has the same features frame by frame for the CPU. Nothing is imported here.
"""
