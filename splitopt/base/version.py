"""The version of splitopt, which the build reads from here, too."""

VERSION = "0.1.0"
