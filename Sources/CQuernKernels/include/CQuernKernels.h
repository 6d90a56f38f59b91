int quern_kernels_placeholder(void);
