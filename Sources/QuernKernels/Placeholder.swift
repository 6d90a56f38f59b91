enum QuernKernelsPlaceholder {}
