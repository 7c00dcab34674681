import { readFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

/** One WebAssembly memory with an allocator, and the matrix product that works in it. */
export type Kernel = {
  /** Zeroed, aligned to 16 bytes, never given back. */
  allocate(length: number): Float32Array
  multiply(product: Product): void
}

/** `c (+)= a * b`: `rows` x `inner` times `inner` x `columns`. Strides are in elements. */
export type Product = {
  readonly rows: number
  readonly columns: number
  readonly inner: number
  readonly a: Float32Array
  readonly aRow: number
  readonly aColumn: number
  readonly b: Float32Array
  readonly bRow: number
  readonly c: Float32Array
  readonly cRow: number
  readonly accumulate: boolean
}

const pageBytes = 65_536

/** Compiles the kernel and gives it `megabytes` of memory. */
export async function createKernel(megabytes: number): Promise<Kernel> {
  const memory = new WebAssembly.Memory({ initial: (megabytes << 20) / pageBytes })
  const { instance } = await WebAssembly.instantiate(await compileKernel(), { env: { memory } })
  // The one export of gemm.as.ts, whose signature is this.
  const gemm = instance.exports['gemm'] as (...values: readonly number[]) => void
  let top = 1024
  return {
    allocate(length) {
      const array = new Float32Array(memory.buffer, top, length)
      top += (array.byteLength + 15) & ~15
      return array
    },
    multiply({ rows, columns, inner, a, aRow, aColumn, b, bRow, c, cRow, accumulate }) {
      gemm(rows, columns, inner, a.byteOffset, aRow, aColumn, b.byteOffset, bRow, c.byteOffset, cRow, accumulate ? 1 : 0)
    },
  }
}

async function compileKernel(): Promise<Uint8Array<ArrayBuffer>> {
  const source = readFileSync(new URL('gemm.as.ts', import.meta.url), 'utf8')
  let wasm: Uint8Array | undefined
  const { error, stderr } = await asc.main(
    ['gemm.ts', '-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub', '--importMemory', '--outFile', 'gemm.wasm'],
    {
      readFile: (name) => (name === 'gemm.ts' ? source : null),
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') wasm = contents
      },
      listFiles: () => [],
    },
  )
  if (error || wasm === undefined) throw new Error(`The kernel does not compile: ${stderr.toString()}`)
  return Uint8Array.from(wasm)
}
