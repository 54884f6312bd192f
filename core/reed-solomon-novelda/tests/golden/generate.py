#!/usr/bin/env python3
"""Writes the golden vectors beside this script; run it only to add one.

It knows the definition of the code and nothing of the crate: GF(2^8) modulo 0x11d, multiplication
bit by bit, parity row r = sum over j of 2^(r*j) * data fragment j. Data is the SHA-256 stream of
the file's name. A file is all data fragments, then all parity fragments, one after the other.
"""
import hashlib
import pathlib

VECTORS = [(1, 0, 16), (1, 3, 9), (2, 1, 64), (4, 2, 1), (4, 2, 64), (5, 1, 33), (6, 3, 128),
           (8, 3, 100), (10, 4, 65), (16, 4, 131)]


def multiply(a, b):
    product = 0
    while b:
        product ^= a * (b & 1)
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return product


def power(exponent):
    result = 1
    for _ in range(exponent):
        result = multiply(result, 2)
    return result


def stream(name, length):
    blocks = range(length // 32 + 1)
    return b"".join(hashlib.sha256(f"{name} {i}".encode()).digest() for i in blocks)[:length]


def parity(data, row, length):
    fragments = [data[j * length:(j + 1) * length] for j in range(len(data) // length)]
    result = bytearray(length)
    for column, fragment in enumerate(fragments):
        weight = power(row * column)
        for at, byte in enumerate(fragment):
            result[at] ^= multiply(weight, byte)
    return bytes(result)


def main():
    here = pathlib.Path(__file__).parent
    lines = ["# file k m length: k data fragments, then m parity fragments, of length bytes each"]
    for k, m, length in VECTORS:
        name = f"rs-{k}-{m}-{length}.bin"
        data = stream(name, k * length)
        (here / name).write_bytes(data + b"".join(parity(data, row, length) for row in range(m)))
        lines.append(f"{name} {k} {m} {length}")
    (here / "index.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
