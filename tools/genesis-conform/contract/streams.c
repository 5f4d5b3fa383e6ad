/* SPDX-License-Identifier: Apache-2.0 */
/* streams.c - order on a stream and between streams, events, and errors that come later. */
#include <string.h>

#include "../kernels/kernel.h"

/* Streams and events of a case, destroyed after it. */
static gn_stream *streams[2];
static gn_event *events[2];

static void make_streams(void) {
    if (!backend->stream_create || !backend->event_create)
        skip_case("the device is synchronous: it has no %s",
                  backend->stream_create ? "events" : "streams");
    for (int i = 0; i < 2; i++) {
        expect_status(CALL(stream_create, device, &streams[i]), GN_OK);
        expect_status(CALL(event_create, device, &events[i]), GN_OK);
    }
}

/* Scratch memory of all calls is kept until here, as they may run at the same time. */
static void wait_for(gn_stream *stream, gn_status wanted) {
    raw_begin();
    expect_status(backend->synchronise(device, stream), wanted);
}

static void streams_after(void) {
    for (int i = 0; i < 2; i++) {
        if (streams[i]) {
            backend->synchronise(device, streams[i]);
            backend->stream_destroy(device, streams[i]);
        }
        if (events[i])
            backend->event_destroy(device, events[i]);
        streams[i] = NULL;
        events[i] = NULL;
    }
    raw_end(GN_OK);
    kernel_after();
}

enum { N = 1 << 18, STEPS = 40 };

/* y = 3 x: no call that is left out or done twice goes unseen. */
static const gn_program *tripler(void) {
    program_begin("triple");
    store(1, GN_I32, mul(load(0, GN_I32), const_i(GN_I32, 3)));
    return program_end();
}

static gn_status enqueue(gn_stream *stream, const gn_program *program, struct buffer *from,
                         struct buffer *to) {
    struct space s;
    const gn_call call = prepare_call(&s, program, 0, SIZES(from->n), 2,
                                      (gn_operand[]){AT(from, 0, 1), AT(to, 0, 1)}, NULL);
    raw_begin();
    return backend->map(device, stream, &call);
}

static void fill(struct buffer *b, int32_t value) {
    for (int64_t i = 0; i < b->n; i++)
        put(b, i, (gn_scalar){.i = value});
}

static int32_t tripled(int32_t value, int times) {
    uint32_t product = (uint32_t)value;
    for (; times > 0; times--)
        product *= 3;
    return (int32_t)product;
}

/* Many calls on one stream, each on what the one before wrote; another stream waits for an event
 * behind them, while the first goes on to overwrite what the second reads. */
static void order(void) {
    make_streams();
    struct buffer *x = buffer_new(GN_I32, N), *y = buffer_new(GN_I32, N);
    fill(x, 3);
    fill(y, 0);
    buffer_upload(x);
    buffer_upload(y);
    expect_status(settle(), GN_OK);
    const gn_program *program = tripler();
    for (int i = 0; i < STEPS; i++)
        expect_status(enqueue(streams[0], program, x, x), GN_OK);
    expect_status(CALL(event_record, device, streams[0], events[0]), GN_OK);
    expect_status(CALL(event_wait, device, streams[1], events[0]), GN_OK);
    expect_status(enqueue(streams[1], program, x, y), GN_OK);
    expect_status(CALL(event_record, device, streams[1], events[1]), GN_OK);
    expect_status(CALL(event_wait, device, streams[0], events[1]), GN_OK);
    for (int i = 0; i < STEPS; i++)
        expect_status(enqueue(streams[0], program, x, x), GN_OK);
    wait_for(streams[0], GN_OK);
    wait_for(streams[1], GN_OK);
    fill(x, tripled(3, 2 * STEPS));
    fill(y, tripled(3, STEPS + 1));
    check_exact(x);
    check_exact(y);
}

/* Work of one stream is seen by another one that waited for its event: of copies, too. */
static void copies(void) {
    make_streams();
    uint8_t *source = case_alloc(N, 1), *back = case_alloc(N, 1);
    struct buffer *x = buffer_new(GN_U8, N);
    memset(x->data, 0, N);
    const gn_operand operand = AT(x, 0, 1);
    expect_status(settle(), GN_OK);
    memset(source, 42, N);
    expect_status(
        CALL(upload, device, streams[0], operand.mem, (uint64_t)operand.offset, source, N), GN_OK);
    expect_status(CALL(event_record, device, streams[0], events[0]), GN_OK);
    expect_status(CALL(event_wait, device, streams[1], events[0]), GN_OK);
    expect_status(
        CALL(download, device, streams[1], back, operand.mem, (uint64_t)operand.offset, N), GN_OK);
    EXPECT(memcmp(source, back, N) == 0, "the second stream does not see what the first uploaded");
    expect_status(CALL(event_synchronise, device, events[0]), GN_OK);
}

/* Two streams, one call each in turn, on memory of their own. */
static void two_streams(void) {
    make_streams();
    const gn_program *program = tripler();
    struct buffer *x[2];
    for (int k = 0; k < 2; k++) {
        x[k] = buffer_new(GN_I32, N + k);
        fill(x[k], 5 + k);
        buffer_upload(x[k]);
    }
    expect_status(settle(), GN_OK);
    for (int i = 0; i < STEPS; i++)
        for (int k = 0; k < 2; k++)
            expect_status(enqueue(streams[k], program, x[k], x[k]), GN_OK);
    for (int k = 0; k < 2; k++)
        wait_for(streams[k], GN_OK);
    for (int k = 0; k < 2; k++) {
        fill(x[k], tripled(5 + k, STEPS));
        check_exact(x[k]);
    }
}

/* An event that is recorded again stands for the later point; time does not run backwards. */
static void elapsed(void) {
    make_streams();
    if (!backend->event_elapsed)
        skip_case("the device measures no time");
    struct buffer *x = buffer_new(GN_I32, N);
    fill(x, 1);
    buffer_upload(x);
    expect_status(settle(), GN_OK);
    uint64_t nanoseconds[2] = {0};
    const gn_program *program = tripler();
    expect_status(CALL(event_record, device, streams[0], events[0]), GN_OK);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < (k ? STEPS : 1); i++)
            expect_status(enqueue(streams[0], program, x, x), GN_OK);
        expect_status(CALL(event_record, device, streams[0], events[1]), GN_OK);
        expect_status(CALL(event_synchronise, device, events[1]), GN_OK);
        expect_status(CALL(event_elapsed, device, events[0], events[1], &nanoseconds[k]), GN_OK);
    }
    EXPECT(nanoseconds[0] < nanoseconds[1], "%llu ns after the first call, and %llu after more",
           (unsigned long long)nanoseconds[0], (unsigned long long)nanoseconds[1]);
    EXPECT(nanoseconds[1] < UINT64_C(60000000000), "%llu ns: more than a minute",
           (unsigned long long)nanoseconds[1]);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Enqueues a load that is out of range; the status is of the call. */
static gn_status fail_on(gn_stream *stream) {
    struct buffer *x = buffer_whole(GN_F32, 4), *index = buffer_new(GN_I64, 10),
                  *y = buffer_new(GN_F32, 10);
    for (int i = 0; i < 10; i++)
        I64(index)[i] = i;
    program_begin("out of range");
    store(2, GN_F32, loadx(0, GN_F32, load(1, GN_I64)));
    const gn_program *program = program_end();
    const gn_operand operands[] = {with_axis(AT(x, 0, 0), 1, 4), AT(index, 0, 1), AT(y, 0, 1)};
    expect_status(settle(), GN_OK);
    struct space s;
    const gn_call call = prepare_call(&s, program, 0, SIZES(10), 3, operands, NULL);
    raw_begin();
    return backend->map(device, stream, &call);
}

/* The error of one stream is not another's; it comes with its tag, and once. */
static void error_of_a_stream(void) {
    make_streams();
    struct buffer *x = buffer_new(GN_I32, N);
    fill(x, 7);
    buffer_upload(x);
    const gn_status at_once = fail_on(streams[0]);
    if (at_once == GN_OK) {
        expect_status(enqueue(streams[1], tripler(), x, x), GN_OK);
        wait_for(streams[1], GN_OK);
        wait_for(streams[0], GN_E_INDEX);
        EXPECT(said_tag() == test_tag(), "the late error does not come with the tag of its call");
    } else {
        expect_index_error(at_once);
        expect_status(enqueue(streams[1], tripler(), x, x), GN_OK);
        wait_for(streams[1], GN_OK);
    }
    wait_for(streams[0], GN_OK);
    expect_status(enqueue(streams[0], tripler(), x, x), GN_OK);
    wait_for(streams[0], GN_OK);
    fill(x, tripled(7, 2));
    check_exact(x);
}

/* A download waits for the work before it, and returns its error; then all is well again. */
static void error_in_a_download(void) {
    char byte;
    struct buffer *x = buffer_whole(GN_I32, 10);
    const gn_operand operand = AT(x, 0, 1);
    const gn_status at_once = fail_on(NULL);
    if (at_once == GN_OK)
        expect_index_error(CALL(download, device, NULL, &byte, operand.mem, 0, 1));
    else
        expect_index_error(at_once);
    expect_status(CALL(download, device, NULL, &byte, operand.mem, 0, 1), GN_OK);
    check_exact(x);
}

static const test_case cases[] = {
    {.name = "order", .run = order},
    {.name = "copies", .run = copies},
    {.name = "two_streams", .run = two_streams},
    {.name = "elapsed", .run = elapsed},
    {.name = "error_of_a_stream", .run = error_of_a_stream},
    {.name = "error_in_a_download", .run = error_in_a_download},
};

const test_group streams_group = {
    .name = "streams", .row = "streams", CASES(cases), .after = streams_after};
