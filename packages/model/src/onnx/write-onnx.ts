import { concatBytes, utf8 } from '@tacit/protocol'
import type { Tensor, TensorType } from '../tensor.ts'
import { bytesOf } from '../interpret/arrays.ts'
import { elementTypeToOnnx } from './tensor-proto.ts'

/** An attribute value, tagged with its ONNX kind. */
export type OnnxAttributeValue =
  | { readonly integer: number }
  | { readonly integers: readonly number[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly text: string }
  | { readonly tensor: Tensor }

/** A node to write. */
export type OnnxFileNode = {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, OnnxAttributeValue>>
  readonly name?: string
  readonly domain?: string
}

/** A declared input or output; strings are symbolic dimensions, and an output may leave its shape to inference. */
export type OnnxFileValue = {
  readonly name: string
  readonly elementType: TensorType['elementType']
  readonly shape?: readonly (number | string)[] | undefined
}

/** A whole file. */
export type OnnxFile = {
  readonly name: string
  readonly opset: number
  readonly inputs: readonly OnnxFileValue[]
  readonly outputs: readonly OnnxFileValue[]
  readonly initializers: Readonly<Record<string, Tensor>>
  readonly nodes: readonly OnnxFileNode[]
}

/** The bytes of an ONNX file (IR version 9); the same description gives the same bytes. */
export function writeOnnx(file: OnnxFile): Uint8Array<ArrayBuffer> {
  const graph = concatBytes(
    ...file.nodes.map((node) => message(1, writeNode(node))),
    text(2, file.name),
    ...Object.entries(file.initializers).map(([name, tensor]) => message(5, writeTensor(name, tensor))),
    ...file.inputs.map((value) => message(11, writeValue(value))),
    ...file.outputs.map((value) => message(12, writeValue(value))),
  )
  const domains = [...new Set(file.nodes.map(({ domain }) => domain ?? ''))].filter((domain) => domain !== '')
  const opsets = [{ domain: '', version: file.opset }, ...domains.map((domain) => ({ domain, version: 1 }))]
  const written = opsets.map(({ domain, version }) => message(8, concatBytes(text(1, domain), integer(2, version))))
  return concatBytes(integer(1, 9), text(2, 'tacit'), message(7, graph), ...written)
}

function writeNode(node: OnnxFileNode): Uint8Array {
  return concatBytes(
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(3, node.name ?? ''),
    text(4, node.operator),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) => message(5, writeAttribute(name, value))),
    ...(node.domain === undefined ? [] : [text(7, node.domain)]),
  )
}

function writeAttribute(name: string, value: OnnxAttributeValue): Uint8Array {
  const head = text(1, name)
  if ('integer' in value) return concatBytes(head, integer(3, value.integer), integer(20, 2))
  if ('float' in value) return concatBytes(head, float(2, value.float), integer(20, 1))
  if ('text' in value) return concatBytes(head, text(4, value.text), integer(20, 3))
  if ('tensor' in value) return concatBytes(head, message(5, writeTensor('', value.tensor)), integer(20, 4))
  if ('integers' in value) return concatBytes(head, ...value.integers.map((item) => integer(8, item)), integer(20, 7))
  return concatBytes(head, ...value.floats.map((item) => float(7, item)), integer(20, 6))
}

/** The bytes of a TensorProto, with raw data. */
export function writeTensor(name: string, tensor: Tensor): Uint8Array<ArrayBuffer> {
  return concatBytes(
    ...tensor.shape.map((size) => integer(1, size)),
    integer(2, elementTypeToOnnx(tensor.elementType)),
    text(8, name),
    message(9, bytesOf(tensor.data)),
  )
}

function writeValue(value: OnnxFileValue): Uint8Array {
  const dimensions = value.shape?.map((size) => message(1, typeof size === 'string' ? text(2, size) : integer(1, size)))
  const shape = dimensions === undefined ? [] : [message(2, concatBytes(...dimensions))]
  const tensorType = concatBytes(integer(1, elementTypeToOnnx(value.elementType)), ...shape)
  return concatBytes(text(1, value.name), message(2, message(1, tensorType)))
}

function message(field: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes)
}

function text(field: number, value: string): Uint8Array {
  return message(field, utf8(value))
}

function integer(field: number, value: number): Uint8Array {
  return concatBytes(varint(BigInt(field << 3)), varint(BigInt.asUintN(64, BigInt(value))))
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return concatBytes(varint(BigInt((field << 3) | 5)), bytes)
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}
