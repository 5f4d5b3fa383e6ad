/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the reports for programs: JSON, and the XML of JUnit. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <genesis/tensor.h>

#include "libgenesis/io/io.h"
#include "run.h"

static const char *const outcome_names[] = {
    [NOT_RUN] = "skipped", [PASSED] = "passed", [FAILED] = "failed", [SKIPPED] = "skipped"};

/* Whether a run is reported: opening and closing the device are only if they fail. */
static bool is_reported(const test_run *run) { return !run->implicit || run->outcome == FAILED; }

/* Writes a text that is complete; "-" is standard output. */
static bool write_text(const char *path, const char *text, size_t bytes) {
    if (strcmp(path, "-") == 0)
        return fwrite(text, 1, bytes, stdout) == bytes;
    gn__atomic file;
    if (gn__atomic_begin(&file, "genesis-conform", path) == GN_OK)
        gn__atomic_write(&file, text, bytes);
    const bool written = gn__atomic_end(&file) == GN_OK;
    if (!written)
        gn_perror("genesis-conform");
    gn_error_clear();
    return written;
}

/* ---- JSON */

/* What a plugin said may be no UTF-8: then a note stands for it. */
static json_t *text_json(const char *text) {
    json_t *value = json_string(text);
    return value ? value : json_string("(not UTF-8)");
}

static json_t *device_json(const results *r) {
    const gn_device_info *info = &r->device.info;
    char abi[32];
    json_t *dtypes = json_array();
    snprintf(abi, sizeof abi, "%u.%u", r->device.abi_major, r->device.abi_minor);
    for (int dtype = GN_BOOL; dtype < GN_N_DTYPES; dtype++)
        if (info->dtypes >> dtype & 1 && dtype != GN_U32)
            json_array_append_new(dtypes, json_string(gn_dtype_name((gn_dtype)dtype)));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "device",
                     text_json(options.device), "name", text_json(info->name), "vendor",
                     text_json(info->vendor), "driver", text_json(info->driver), "plugin",
                     text_json(r->device.path), "version", text_json(r->device.version), "abi", abi,
                     "dtypes", dtypes);
}

static json_t *row_json(const table_row *row) {
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "kernel", row->kernel, "dtype",
                  row->dtype ? gn_dtype_name((gn_dtype)row->dtype) : "", "result", row_result(row),
                  "passed", row->passed, "failed", row->failed, "composed", row->composed);
    if (row->worst >= 0)
        json_object_set_new(object, "worst_ulp", json_real(row->worst));
    const char *unit = row->unit == SPEED_FLOPS ? "flop_per_second" : "bytes_per_second";
    if (row->rate > 0)
        json_object_set_new(object, unit, json_real(row->rate));
    if (row->reference_rate > 0)
        json_object_set_new(object,
                            row->unit == SPEED_FLOPS ? "reference_flop_per_second"
                                                     : "reference_bytes_per_second",
                            json_real(row->reference_rate));
    return object;
}

static json_t *run_json(const test_run *run) {
    char name[128], command[768];
    run_name(run, name, sizeof name);
    json_t *object = json_pack("{s:s, s:s, s:f}", "case", name, "result",
                               outcome_names[run->outcome], "seconds", run->seconds);
    if (run->message)
        json_object_set_new(object, "message", text_json(run->message));
    run_command(run, command, sizeof command);
    if (run->outcome == FAILED)
        json_object_set_new(object, "replay", text_json(command));
    return object;
}

bool write_json(const results *r, const char *path) {
    json_t *rows = json_array(), *cases = json_array();
    for (size_t i = 0; i < r->n_rows; i++)
        json_array_append_new(rows, row_json(&r->rows[i]));
    for (size_t i = 0; i < r->n_runs; i++)
        if (is_reported(&r->runs[i]))
            json_array_append_new(cases, run_json(&r->runs[i]));
    json_t *root = json_pack(
        "{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "version", gn_version(), "device",
        device_json(r), "reference", options.reference, "seed", (json_int_t)options.seed, "passed",
        (json_int_t)results_count(r, PASSED), "failed", (json_int_t)results_count(r, FAILED),
        "skipped", (json_int_t)results_count(r, SKIPPED), "seconds", r->seconds, "rows", rows,
        "cases", cases);
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    const bool written = text && write_text(path, text, strlen(text));
    if (!text)
        fputs("genesis-conform: no memory for the JSON\n", stderr);
    free(text);
    json_decref(root);
    return written;
}

/* ---- JUnit */

/* As the text of an attribute. What XML may not have becomes a space or '?'. */
static void put_escaped(FILE *out, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\n': fputs("&#10;", out); break;
        default: fputc(*text >= '\x7f' || *text < 0 ? '?' : *text < ' ' ? ' ' : *text, out);
        }
    }
}

static void put_case(FILE *out, const test_run *run) {
    char name[128], command[768];
    run_name(run, name, sizeof name);
    run_command(run, command, sizeof command);
    fprintf(out, "  <testcase classname=\"%s\" name=\"%s\" time=\"%.6f\"", run->group->name, name,
            run->seconds);
    if (run->outcome == PASSED) {
        fputs("/>\n", out);
        return;
    }
    fputs(run->outcome == FAILED ? "><failure message=\"" : "><skipped message=\"", out);
    put_escaped(out, run->message ? run->message : "");
    fputs("\">", out);
    put_escaped(out, run->outcome == FAILED ? command : "");
    fputs(run->outcome == FAILED ? "</failure></testcase>\n" : "</skipped></testcase>\n", out);
}

bool write_junit(const results *r, const char *path) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out) {
        perror("genesis-conform: JUnit");
        return false;
    }
    const size_t failed = results_count(r, FAILED), skipped = results_count(r, SKIPPED);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"genesis-conform ", out);
    put_escaped(out, options.device);
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" time=\"%.3f\">\n",
            results_count(r, PASSED) + failed + skipped, failed, skipped, r->seconds);
    for (size_t i = 0; i < r->n_runs; i++)
        if (is_reported(&r->runs[i]))
            put_case(out, &r->runs[i]);
    fputs("</testsuite>\n", out);
    const bool complete = fclose(out) == 0;
    const bool written = complete && write_text(path, text, bytes);
    free(text);
    return written;
}
