// EZKL's WebAssembly engine on a 64 x 64 dense layer with bias and ReLU, in a process of its own. Its inputs are made here: the package
// neither compiles models nor makes structured reference strings. What it proves differs: no requantisation, public output, no
// commitment to the weights that other proofs could share. Argument: a folder for the reference string.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { bn254 } from '@noble/curves/bn254.js'

type Engine = {
  genWitness(model: Uint8ClampedArray, input: Uint8ClampedArray): Uint8Array
  genVk(model: Uint8ClampedArray, srs: Uint8ClampedArray, compress: boolean): Uint8Array
  genPk(vk: Uint8ClampedArray, model: Uint8ClampedArray, srs: Uint8ClampedArray): Uint8Array
  prove(witness: Uint8ClampedArray, pk: Uint8ClampedArray, model: Uint8ClampedArray, srs: Uint8ClampedArray): Uint8Array
  verify(proof: Uint8ClampedArray, vk: Uint8ClampedArray, settings: Uint8ClampedArray, srs: Uint8ClampedArray): boolean
}
const size = 64
const logRows = 13
const assignments = 16_000

// ---- the compiled circuit: EZKL 21's own serialisation (bincode: u64 lengths, u32 variants, little-endian) ----
const u64 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(8 * values.length)
  values.forEach((value, k) => bytes.writeBigUInt64LE(BigInt(value), 8 * k))
  return bytes
}
const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, k) => bytes.writeUInt32LE(value, 4 * k))
  return bytes
}
const order = bn254.fields.Fr.ORDER
const little = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
const element = (value: number): Buffer => little(((BigInt(value) % order) + order) % order)
const one = Buffer.of(1)
const small = (k: number): number => ((k * 7919 + 13) % 15) - 7

function constant(id: number, values: readonly number[], dims: readonly number[]): Buffer {
  const shape = u64(dims.length, ...dims)
  return Buffer.concat([
    u64(id),
    u32(0, 4),
    u64(values.length),
    ...values.map(element),
    shape,
    one,
    u32(0),
    one,
    u32(0),
    u64(0),
    u64(1, 0),
    Buffer.alloc(3),
    u32(0),
    u64(0),
    shape,
    u64(id, 1),
  ])
}

// Run arguments and settings behind the graph: (offset, bytes) of what is not zero.
function trailer(): Buffer {
  const bytes = Buffer.alloc(636 - 96)
  const put = (at: number, part: Buffer): void => void part.copy(bytes, at)
  for (const at of [0, 16, 40, 60, 120, 158, 167, 171, 258, 274, 290, 302, 330, 426, 444]) bytes[at] = 1
  put(24, u64(6))
  put(48, u64(2))
  put(72, u32(10)) // scale rebase multiplier
  put(108, u32(logRows))
  put(112, u64(2)) // inner columns
  put(128, u64(10))
  bytes.write('batch_size', 136)
  bytes[146] = 1
  put(176, u64(128, 2)) // decomposition base and legs
  put(194, u64(assignments / 2, assignments, size)) // rows, assignments, constants
  put(266, u64(2))
  put(282, u64(size))
  put(354, u64(2))
  put(362, Buffer.concat([Buffer.alloc(16, 255), one])) // range check -1..1
  bytes[410] = 127 // range check 0..127
  put(430, u64(5))
  bytes.write('0.0.0', 438)
  put(463, u64(1, size))
  return Buffer.concat([bytes.subarray(0, 479), Buffer.alloc(32 * size), Buffer.alloc(636 - 479 - 96)])
}

function compiledCircuit(): Buffer {
  const input = Buffer.concat([u64(0), u32(0, 3), u32(0, 2), one, u32(0), u64(0), u64(2, 1, size), u64(0, 1)])
  const weights = constant(
    1,
    Array.from({ length: size * size }, (_, k) => small(k)),
    [size, size],
  )
  const product = Buffer.concat([
    u64(2),
    u32(0, 0, 8),
    u64(9),
    Buffer.from('mk,nk->mn'),
    u32(0),
    u64(2, 0, 0, 1, 0),
    u64(2, 1, size),
    u64(2, 1),
  ])
  const bias = constant(
    3,
    Array.from({ length: size }, (_, k) => small(k + 5)),
    [1, size],
  )
  const addition = Buffer.concat([u64(4), u32(0, 0, 12), u32(0), u64(2, 2, 0, 3, 0), u64(2, 1, size), u64(4, 1)])
  const relu = Buffer.concat([reluHead(), u64(2, 1, size), u64(6, 1)])
  return Buffer.concat([u64(6), input, weights, product, bias, addition, relu, trailer()])
}

function reluHead(): Buffer {
  return Buffer.from(
    '0600000000000000000000000000000002000000000000000100000000000000010000000000000004000000000000000000000000000000',
    'hex',
  )
}

function settings(): string {
  return JSON.stringify({
    run_args: {
      tolerance: { val: 0, scale: 1 },
      input_scale: 0,
      param_scale: 0,
      scale_rebase_multiplier: 10,
      lookup_range: [0, 0],
      logrows: logRows,
      num_inner_cols: 2,
      variables: [['batch_size', 1]],
      input_visibility: 'Private',
      output_visibility: 'Public',
      param_visibility: 'Private',
      div_rebasing: false,
      rebase_frac_zero_constants: false,
      check_mode: 'UNSAFE',
      commitment: 'KZG',
      decomp_base: 128,
      decomp_legs: 2,
      bounded_log_lookup: false,
      ignore_range_check_inputs_outputs: false,
    },
    num_rows: assignments / 2,
    total_assignments: assignments,
    total_const_size: size,
    total_dynamic_col_size: 0,
    max_dynamic_input_len: 0,
    num_dynamic_lookups: 0,
    num_shuffles: 0,
    total_shuffle_col_size: 0,
    model_instance_shapes: [[1, size]],
    model_output_scales: [0],
    model_input_scales: [0],
    module_sizes: { polycommit: [], poseidon: [0, [0]] },
    required_lookups: [],
    required_range_checks: [
      [-1, 1],
      [0, 127],
    ],
    check_mode: 'UNSAFE',
    version: '0.0.0',
    num_blinding_factors: null,
    timestamp: 0,
  })
}

// ---- a structured reference string with a known secret: good for timing, for nothing else ----
function referenceString(folder: string): Buffer {
  const file = join(folder, `ezkl-srs-${logRows}.bin`)
  if (existsSync(file)) return readFileSync(file)
  const { Fr, Fp } = bn254.fields
  const radix = 1n << 256n
  const montgomery = (value: bigint): Buffer => little((value * radix) % Fp.ORDER)
  const point = (scalar: bigint): Buffer => {
    const { x, y } = bn254.G1.Point.BASE.multiply(scalar).toAffine()
    return Buffer.concat([montgomery(x), montgomery(y)])
  }
  const n = 1 << logRows
  const tau = 0x1234567890abcdef1234567890abcdef1234567890abcdefn
  let root = 0x03ddb9f5166d18b798865ea93dd31f743215cf6dd39329c8d34f1ed960c37c9cn // of order 2^28
  for (let k = 28; k > logRows; k--) root = Fr.sqr(root)
  const scale = Fr.mul(Fr.sub(Fr.pow(tau, BigInt(n)), 1n), Fr.inv(BigInt(n)))
  const powers: Buffer[] = []
  const lagrange: Buffer[] = []
  for (let k = 0, t = 1n, w = 1n; k < n; k++, t = Fr.mul(t, tau), w = Fr.mul(w, root)) {
    powers.push(point(t))
    lagrange.push(point(Fr.mul(Fr.mul(scale, w), Fr.inv(Fr.sub(tau, w)))))
  }
  const twist = (scalar: bigint): Buffer => {
    const { x, y } = bn254.G2.Point.BASE.multiply(scalar).toAffine()
    return Buffer.concat([x.c0, x.c1, y.c0, y.c1].map(montgomery))
  }
  const bytes = Buffer.concat([u32(logRows), ...powers, ...lagrange, twist(1n), twist(tau)])
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, bytes)
  return bytes
}

const cpuMs = <T>(work: () => T): readonly [number, T] => {
  const before = process.cpuUsage()
  const result = work()
  const { user, system } = process.cpuUsage(before)
  return [(user + system) / 1000, result]
}
const srs = new Uint8ClampedArray(referenceString(process.argv[2] ?? '.cache'))
if (process.argv[3] === 'prepare') process.exit(0)
const engine = createRequire(import.meta.url)('@ezkljs/engine/nodejs/ezkl.js') as Engine
const model = new Uint8ClampedArray(compiledCircuit())
const input = new Uint8ClampedArray(
  Buffer.from(JSON.stringify({ input_data: [Array.from({ length: size }, (_, k) => ((k * 31) % 41) - 20)] })),
)
const clamped = (bytes: Uint8Array): Uint8ClampedArray => new Uint8ClampedArray(bytes)
const witness = clamped(engine.genWitness(model, input))
const [vkMs, vk] = cpuMs(() => clamped(engine.genVk(model, srs, true)))
const [pkMs, pk] = cpuMs(() => clamped(engine.genPk(vk, model, srs)))
const [proveMs, proof] = cpuMs(() => clamped(engine.prove(witness, pk, model, srs)))
const [verifyMs, ok] = cpuMs(() => engine.verify(proof, vk, new Uint8ClampedArray(Buffer.from(settings())), srs))
if (!ok) throw new Error('EZKL does not verify its own proof.')
console.log(
  JSON.stringify({ setupMs: vkMs + pkMs, proveMs, verifyMs, proofBytes: proof.length, maxRssKiB: process.resourceUsage().maxRSS }),
)
