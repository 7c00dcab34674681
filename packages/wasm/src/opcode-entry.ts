/** How the bytes after an opcode are read. */
export type Immediate =
  | 'none'
  | 'block'
  | 'label'
  | 'labels'
  | 'function'
  | 'indirect'
  | 'local'
  | 'global'
  | 'table'
  | 'memory'
  | 'memory-lane'
  | 'index'
  | 'index2'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'v128'
  | 'lane'
  | 'shuffle'

/** `[code, immediate, operands, results]`: one letter per value, `i` i32, `l` i64, `f` f32, `d` f64, `v` v128, `?` depends on context. */
export type OpcodeEntry = readonly [code: number, immediate: Immediate, operands: string, results: string]
