import sys

from repository_files import ROOT

# `bench` is a folder of the checkout and no installed package.
sys.path.append(str(ROOT))
