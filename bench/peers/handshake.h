/* The server's side of RFC 6455 section 4.2.2, with SHA-1 (RFC 3174) and base64, so that the floor needs no library. */

#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotated(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void sha1_block(uint32_t state[5], const unsigned char *block)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | block[1] << 16 | block[2] << 8 | block[3];
    for (int i = 16; i < 80; i++)
        w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t mixed = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        uint32_t next = rotated(a, 5) + mixed + e + constants[i / 20] + w[i];
        e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* Of a text of at most 119 bytes: two blocks. */
static void sha1(const char *text, unsigned char digest[20])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char blocks[128] = {0};
    size_t size = strlen(text), end = size < 56 ? 64 : 128;
    memcpy(blocks, text, size);
    blocks[size] = 0x80;
    blocks[end - 2] = size * 8 >> 8;
    blocks[end - 1] = size * 8 & 255;
    for (size_t at = 0; at < end; at += 64)
        sha1_block(state, blocks + at);
    for (int i = 0; i < 20; i++)
        digest[i] = state[i / 4] >> (24 - i % 4 * 8);
}

/* What answers the key of a handshake: 28 characters and a NUL. */
static void accept_of(const char *key, char answer[29])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char digest[21] = {0};
    char text[64];
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0; i < 28; i++) {
        int bit = i * 6, from = bit / 8;
        int pair = digest[from] << 8 | (from < 20 ? digest[from + 1] : 0);
        answer[i] = i == 27 ? '=' : digits[pair >> (10 - bit % 8) & 63];
    }
    answer[28] = 0;
}

/* The answer to a request, a text; its length, or 0 where the request has no key. */
static size_t answer_to(const char *request, char *answer, size_t room)
{
    static const char form[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n";
    static const char name[] = "\r\nsec-websocket-key:";
    char key[25], accept[29];
    const char *field = strcasestr(request, name);
    if (!field || sscanf(field + strlen(name), " %24s", key) != 1)
        return 0;
    accept_of(key, accept);
    return snprintf(answer, room, form, accept);
}
