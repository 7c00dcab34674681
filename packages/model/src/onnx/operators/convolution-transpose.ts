import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/** Attributes of a transposed convolution over `rank` spatial axes. */
type Form = {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Beginnings and ends that are cropped from the full result; negative where zeros are added. */
  readonly begins: readonly number[]
  readonly size: readonly number[]
}

function formOf(node: NodeReader, input: readonly number[], kernel: readonly number[]): Form {
  const rank = input.length
  const strides = node.integers('strides') ?? kernel.map(() => 1)
  const dilations = node.integers('dilations') ?? kernel.map(() => 1)
  const extra = node.integers('output_padding') ?? kernel.map(() => 0)
  const pads = node.integers('pads') ?? new Array<number>(2 * rank).fill(0)
  if ([strides, dilations, extra].some((list) => list.length !== rank) || pads.length !== 2 * rank)
    throw node.invalid(`its attributes do not fit ${rank} spatial axes`)
  if ([...strides, ...dilations].some((value) => value < 1) || [...extra, ...pads].some((value) => value < 0))
    throw node.invalid('a stride or dilation is below 1, or a pad below 0')
  const spans = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1)
  const auto = node.text('auto_pad', 'NOTSET')
  const wanted = node.integers('output_shape')?.slice(-rank)
  const begins: number[] = []
  const size = input.map((length, axis) => {
    const [stride, span, added] = [strides[axis] ?? 1, spans[axis] ?? 1, extra[axis] ?? 0]
    const full = (length - 1) * stride + span + added
    const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER'
    const asked = wanted?.[axis] ?? (same ? length * stride : undefined)
    if (asked === undefined) {
      const explicit = auto === 'VALID' ? [0, 0] : [pads[axis] ?? 0, pads[axis + rank] ?? 0]
      begins.push(explicit[0] ?? 0)
      return full - (explicit[0] ?? 0) - (explicit[1] ?? 0)
    }
    const total = full - asked
    // ONNX's reference gives the larger half to the end for SAME_UPPER and to the beginning otherwise.
    begins.push(auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2))
    return asked
  })
  if (size.some((length) => length < 1)) throw node.invalid('its result would be empty')
  return { kernel, strides, dilations, begins, size }
}

/** Zeros between the elements of every spatial axis, stride - 1 of them. */
function spread(e: Expressions, x: ValueId, strides: readonly number[]): ValueId {
  let value = x
  for (const [index, stride] of strides.entries()) {
    if (stride === 1) continue
    const axis = index + 2
    const shape = e.shape(value)
    const split = e.reshape(value, shape.toSpliced(axis + 1, 0, 1))
    const padded = e.pad(split, new Array<number>(2 * (shape.length + 1)).fill(0).with(axis + 1 + shape.length + 1, stride - 1))
    const wide = e.reshape(padded, shape.with(axis, (shape[axis] ?? 1) * stride))
    value = e.slice(wide, axis, { start: 0, count: ((shape[axis] ?? 1) - 1) * stride + 1 })
  }
  return value
}

/** [C, M/G, kernel] to [M, C/G, kernel], every kernel axis reversed. */
function turned(e: Expressions, w: ValueId, group: number): ValueId {
  const [channels = 1, filters = 1, ...kernel] = e.shape(w)
  const grouped = e.reshape(w, [group, channels / group, filters, ...kernel])
  const swapped = e.transpose(grouped, [0, 2, 1, ...kernel.map((_, axis) => axis + 3)])
  const flat = e.reshape(swapped, [group * filters, channels / group, ...kernel])
  return kernel.reduce((value, size, axis) => (size === 1 ? value : e.reverse(value, axis + 2)), flat)
}

/** A transposed convolution is a convolution of the spread-out input with the turned kernel. */
function convTranspose(node: NodeReader): void {
  const e = new Expressions(node)
  const [x, w, bias] = [node.input(0), node.input(1), node.optional(2)]
  node.expectTypes(bias === undefined ? [x, w] : [x, w, bias], ['float32'])
  const [batch = 1, channels = 1, ...input] = node.shapeOf(x)
  const [weightChannels = 1, groupFilters = 1, ...kernel] = node.shapeOf(w)
  const group = node.integer('group', 1)
  if (input.length < 1 || kernel.length !== input.length || weightChannels !== channels || group < 1 || channels % group !== 0)
    throw node.invalid(`${channels} channels and weights [${node.shapeOf(w).join(', ')}] in ${group} groups do not fit`)
  const { strides, dilations, begins, size } = formOf(node, input, kernel)
  const wide = spread(e, x, strides)
  // Result position p reads spread-out positions p + begin - span + 1 .. p + begin.
  const spans = kernel.map((length, axis) => (length - 1) * (dilations[axis] ?? 1))
  const before = spans.map((span, axis) => span - (begins[axis] ?? 0))
  const after = spans.map((span, axis) => (size[axis] ?? 1) + span - (before[axis] ?? 0) - (node.shapeOf(wide)[axis + 2] ?? 1))
  const cropped = [...before, ...after].some((pad) => pad < 0)
  const source = cropped ? e.pad(wide, [0, 0, ...before, 0, 0, ...after]) : wide
  const pads = cropped ? [...before, ...after].map(() => 0) : [...before, ...after]
  const inputs = [source, turned(e, w, group), ...(bias === undefined ? [] : [bias])]
  node.emit({ operator: 'Conv', window: { kernel, strides: kernel.map(() => 1), dilations, pads }, group }, inputs, {
    elementType: 'float32',
    shape: [batch, groupFilters * group, ...size],
  })
}

/** Transposed convolutions. */
export const convolutionTransposeReaders: Readonly<Record<string, OperatorReader>> = { ConvTranspose: convTranspose }
