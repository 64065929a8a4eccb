"""`python -m sqlkernel -f FILE`, as the kernelspec says."""

from ipykernel.kernelapp import IPKernelApp

from .kernel import SqlKernel

if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=SqlKernel)
