// Runs the plan on golden inputs, times it, and prints lines that `splitopt time --log` reads.

#ifndef SPLITOPT_CHECK_H_
#define SPLITOPT_CHECK_H_

namespace splitopt {

// 0: every output byte is equal; 1: the runner refused or failed; 2: outputs differ. The program
// defines sim::Write and sim::Exit of console.h; check_main.cc has them for a C library.
int RunCheck();

}  // namespace splitopt

#endif  // SPLITOPT_CHECK_H_
