// The two functions that libFuzzer looks for, and the option --target=NAME, which says what they hand bytes to. In C,
// for a Swift program has a main function of its own.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t quern_fuzz_choose(const char *name);
void quern_fuzz_check(const uint8_t *bytes, size_t count);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const char option[] = "--target=";
    for (int i = 1; i < *argc; i++) {
        const char *argument = (*argv)[i];
        if (strncmp(argument, option, sizeof option - 1) == 0 && quern_fuzz_choose(argument + sizeof option - 1)) {
            return 0;
        }
    }
    fputs("quern-fuzz: give --target=NAME, one of the folders in Tests/Fuzz/Corpora\n", stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    quern_fuzz_check(bytes, count);
    return 0;
}
