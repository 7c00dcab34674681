// Turns what a person typed into what a model takes.
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { join } from 'node:path'
import type { ListedModel } from '@tacit/client'
import type { JobInput } from '@tacit/exchange'
import { parseDigits, splitDigits } from '@tacit/model'
import { zooDirectory } from '@tacit/node/node'
import { toHex } from '@tacit/protocol'
import { FileUnusableError, UsageError } from './errors.ts'

/** How to continue a conversation. */
export type ChatSettings = { readonly maxTokens: number; readonly temperatureMilli: number; readonly seed: number }

export const chatDefaults: ChatSettings = { maxTokens: 128, temperatureMilli: 700, seed: 1 }

export function chatInput(
  messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[],
  settings: ChatSettings,
): JobInput {
  return {
    kind: 'chat',
    messages,
    maxTokens: settings.maxTokens,
    temperatureMilli: settings.temperatureMilli,
    topPMilli: 1000,
    seed: settings.seed,
    stop: [],
  }
}

/** A handwritten digit that no model of the zoo was trained on. */
export type HeldOutDigit = { readonly index: number; readonly pixels: readonly number[]; readonly label: number }

/** @throws FileUnusableError, UsageError */
export function loadDigit(index: number): HeldOutDigit {
  const path = join(zooDirectory, 'data', 'digits', 'digits.csv.gz')
  if (!existsSync(path)) throw new FileUnusableError(path, 'is missing')
  const { heldOut } = splitDigits(parseDigits(gunzipSync(readFileSync(path)).toString('utf8')))
  const digit = heldOut[index]
  if (digit === undefined)
    throw new UsageError(`There is no digit ${index}; the held-out part has ${heldOut.length}.`, 'tacit infer --digit N')
  return { index, pixels: [...digit.pixels], label: digit.label }
}

/** The one tensor of a model whose input is this many values. */
export function tensorInput(model: ListedModel, values: readonly number[]): JobInput {
  const spec = model.card?.inputs[0]
  if (model.card === null || spec === undefined || model.card.inputs.length !== 1)
    throw new UsageError('This model does not take a single tensor; use --input FILE.', 'tacit infer --model M --input FILE')
  const elements = spec.shape.reduce((product, size) => product * Math.abs(size), 1)
  if (values.length !== elements)
    throw new UsageError(`This model takes ${elements} values, ${values.length} were given.`, 'tacit infer --model M --input FILE')
  const divisor = model.card.inputDivisor
  const shape = spec.shape.map((size) => Math.abs(size))
  const array = encodeValues(
    spec.type,
    values.map((value) => value / divisor),
  )
  return { kind: 'tensors', tensors: [{ name: spec.name, type: spec.type, shape, data: toHex(array) }] }
}

function encodeValues(type: 'f32' | 'i8' | 'u8' | 'i32' | 'i64', values: readonly number[]): Uint8Array {
  switch (type) {
    case 'f32':
      return new Uint8Array(Float32Array.from(values).buffer)
    case 'i8':
      return new Uint8Array(Int8Array.from(values).buffer)
    case 'u8':
      return Uint8Array.from(values)
    case 'i32':
      return new Uint8Array(Int32Array.from(values).buffer)
    case 'i64':
      return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(Math.round(value))).buffer)
  }
}

/** An 8 x 8 digit as characters, darker ink as denser ones. */
export function drawDigit(pixels: readonly number[]): readonly string[] {
  const ink = ' .:-=+*#@'
  return Array.from({ length: 8 }, (_, row) =>
    Array.from({ length: 8 }, (_, column) => {
      const dark = ink[Math.round(((pixels[row * 8 + column] ?? 0) / 16) * (ink.length - 1))] ?? ' '
      return dark + dark
    }).join(''),
  )
}
