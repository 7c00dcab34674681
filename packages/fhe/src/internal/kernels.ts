import { kernelModule, sharedKernelModule } from '../generated/kernels.ts'

type Kernel = (...values: readonly number[]) => number

/** The exports of the kernel module that take numbers only; parameters are documented beside their sources. */
export type Kernels = {
  readonly [name in
    | 'add'
    | 'subtract'
    | 'addConstant'
    | 'multiply'
    | 'multiplyAdd'
    | 'multiplyConstant'
    | 'subtractMultiply'
    | 'square'
    | 'liftSigned'
    | 'liftDouble'
    | 'garner2'
    | 'garner3'
    | 'padHalves'
    | 'rotate'
    | 'addImage'
    | 'sumImages'
    | 'dotImages'
    | 'weave'
    | 'forward'
    | 'forwardFrom1'
    | 'forwardFrom2'
    | 'forwardFrom3'
    | 'inverse'
    | 'chacha20'
    | 'uniform'
    | 'centredBinomial'
    | 'ternary'
    | 'pack30'
    | 'unpack30']: Kernel
} & {
  readonly packRounded: (x0: number, y: number, out: number, q0: bigint, drop: bigint, width: bigint, count: number) => void
  readonly unpackRounded: (
    bytes: number,
    out0: number,
    out1: number,
    q0: bigint,
    q1: bigint,
    drop: bigint,
    width: bigint,
    count: number,
  ) => void
  /** `fold2`, `dense2x7`, ...: the key-switching kernels, by name. */
  readonly [keySwitch: string]: Kernel | undefined | ((...values: never[]) => unknown)
}

const compiled = new Map<string, WebAssembly.Module>()

/** Binds the kernels to a memory; the module is compiled once per process. */
export function instantiateKernels(memory: WebAssembly.Memory): Kernels {
  const text = isShared(memory) ? sharedKernelModule : kernelModule
  const module = compiled.get(text) ?? new WebAssembly.Module(decodeBase64(text))
  compiled.set(text, module)
  const abort = (): never => {
    throw new WebAssembly.RuntimeError('kernel aborted')
  }
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } })
  // The generator and this list are checked against each other by test/kernels.test.ts.
  return instance.exports as unknown as Kernels
}

/** The key-switching kernel of that mode, unrolled if there is one for exactly this many automorphisms. */
export function keySwitchKernel(kernels: Kernels, mode: string, digits: number, count: number): Kernel {
  const kernel = kernels[`${mode}${digits}x${count}`] ?? kernels[`${mode}${digits}`]
  if (kernel === undefined) throw new RangeError(`no key-switching kernel for ${digits} digits`)
  // Every key-switching kernel takes numbers and returns nothing.
  return kernel as Kernel
}

function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && (memory.buffer as ArrayBufferLike) instanceof SharedArrayBuffer
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
