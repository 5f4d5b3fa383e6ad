/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the program `genesis`: finds the command that is named first.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <genesis/base.h>

#include "genesis.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"devices", command_devices, "list the backends and devices that programs can use"},
    {"inspect", command_inspect, "show what is in a file of tensors"},
    {"convert", command_convert, "write a file of tensors in another format"},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int help(void) {
    puts("Usage: genesis COMMAND [OPTION..]\n"
         "       genesis --help | --version\n"
         "\n"
         "Commands:");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n`genesis COMMAND --help` explains a command.");
    return EXIT_DONE;
}

int usage_error(const char *command, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "genesis%s%s: ", command ? " " : "", command ? command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry `genesis%s%s --help`.\n", command ? " " : "", command ? command : "");
    return EXIT_USAGE;
}

static int run(int argc, char **argv) {
    if (argc < 2)
        return usage_error(NULL, "no command is given");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("genesis %s\n", gn_version());
        return EXIT_DONE;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return usage_error(NULL, "there is no %s '%s'", argv[1][0] == '-' ? "option" : "command",
                       argv[1]);
}

int main(int argc, char **argv) {
    int status = run(argc, argv);
    gn_shutdown();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, a closed pipe */
        perror("genesis: standard output");
        return EXIT_FAILED;
    }
    return status;
}
