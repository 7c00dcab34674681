// ONNX files of a person's own: free dimensions filled in, weights that lie in other files beside them.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Graph, parseOnnx } from '@tacit/model'
import { textsOf, type Values } from './command.ts'
import { UsageError } from './errors.ts'
import { readBounded } from './module-files.ts'

/**
 * The graph of a file. Every `--dimension NAME=SIZE` gives a symbolic dimension its size.
 * @throws UsageError, FileUnusableError, and what `parseOnnx` throws
 */
export function readOnnx(path: string, values: Values, usage: string): Graph {
  const dimensions = Object.fromEntries(textsOf(values, 'dimension').map((text) => readDimension(text, usage)))
  return parseOnnx(readBounded(path), {
    dimensions,
    externalData: (location, range) => readPart(join(dirname(path), location), range),
  })
}

function readDimension(text: string, usage: string): readonly [string, number] {
  const [, name, size] = /^(.+)=(\d{1,9})$/.exec(text) ?? []
  if (name === undefined || size === undefined) throw new UsageError('--dimension is NAME=SIZE, for instance batch=1.', usage)
  return [name, Number(size)]
}

/** A part of a file of weights; shorter where the file ends, which the reader refuses. */
function readPart(path: string, { offset, length }: { readonly offset: number; readonly length: number }): Uint8Array {
  const file = openSync(path, 'r')
  try {
    const there = Math.max(Math.min(length, fstatSync(file).size - offset), 0)
    const bytes = new Uint8Array(there)
    for (let done = 0; done < there; ) {
      const count = readSync(file, bytes, done, there - done, offset + done)
      if (count === 0) break
      done += count
    }
    return bytes
  } finally {
    closeSync(file)
  }
}
