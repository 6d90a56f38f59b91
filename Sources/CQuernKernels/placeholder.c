#include "CQuernKernels.h"
int quern_kernels_placeholder(void){return 0;}
