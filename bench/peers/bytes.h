/* A queue of bytes that grows as it must. */

#pragma once

#include <stdlib.h>
#include <string.h>

typedef struct { unsigned char *data; size_t at, end, room; } Bytes; /* those from `at` to `end` wait */

static void *grown(void *memory, size_t size)
{
    if (!(memory = realloc(memory, size)))
        abort();
    return memory;
}

/* Append. What was taken from the front is given up once it is the larger half: each byte is moved once or twice. */
static void put(Bytes *bytes, const void *data, size_t size)
{
    if (!size)
        return;
    if (bytes->at == bytes->end)
        bytes->at = bytes->end = 0;
    if (bytes->end + size > bytes->room && bytes->at > bytes->end / 2) {
        memmove(bytes->data, bytes->data + bytes->at, bytes->end - bytes->at);
        bytes->end -= bytes->at, bytes->at = 0;
    }
    if (bytes->end + size > bytes->room)
        bytes->data = grown(bytes->data, bytes->room = 2 * (bytes->end + size));
    memcpy(bytes->data + bytes->end, data, size);
    bytes->end += size;
}
