// Modules that a sandbox must not run, as text, each with the reason for which inspection refuses it.
import type { RefusalReason } from '../src/index.ts'

export type HostileModule = { readonly name: string; readonly text: string; readonly reason: RefusalReason }

const memory = '(memory (export "memory") 1 1)'
const run = (body: string, locals = '') => `(module ${memory} (func (export "run") ${locals} ${body}))`
const counted = (body: string, count = 'i32.const 5') =>
  `${count} local.set 0 loop ${body} local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end`

export const hostileModules: readonly HostileModule[] = [
  { name: 'an imported function', reason: 'import', text: `(module (import "env" "f" (func)) ${memory})` },
  { name: 'an imported memory', reason: 'import', text: '(module (import "env" "memory" (memory 1 1)))' },
  { name: 'an imported global', reason: 'import', text: `(module (import "env" "g" (global i32)) ${memory})` },
  { name: 'a start function', reason: 'start', text: `(module ${memory} (func $f) (start $f))` },
  { name: 'a table', reason: 'table', text: `(module ${memory} (table 1 funcref))` },
  { name: 'elements', reason: 'table', text: `(module ${memory} (table 1 funcref) (func $f) (elem (i32.const 0) $f))` },
  { name: 'a global', reason: 'global', text: `(module ${memory} (global (mut i32) (i32.const 0)))` },
  { name: 'no memory', reason: 'memory', text: '(module (func (export "run")))' },
  { name: 'a memory without maximum', reason: 'memory', text: '(module (memory (export "memory") 1))' },
  { name: 'a memory that may grow', reason: 'memory', text: '(module (memory (export "memory") 1 2))' },
  { name: 'a shared memory', reason: 'memory', text: '(module (memory (export "memory") 1 1 shared))' },
  { name: 'a huge memory', reason: 'memory', text: '(module (memory (export "memory") 65536 65536))' },
  { name: 'data outside the memory', reason: 'data', text: `(module ${memory} (data (i32.const 65535) "ab"))` },
  { name: 'data at a negative offset', reason: 'data', text: `(module ${memory} (data (i32.const -4) "ab"))` },
  { name: 'passive data', reason: 'data', text: `(module ${memory} (data "ab"))` },
  { name: 'memory.grow', reason: 'opcode', text: run('i32.const 1 memory.grow drop') },
  { name: 'memory.size', reason: 'opcode', text: run('memory.size drop') },
  { name: 'memory.fill', reason: 'opcode', text: run('i32.const 0 i32.const 0 i32.const 9 memory.fill') },
  { name: 'call_indirect', reason: 'table', text: `(module ${memory} (table 1 funcref) (func (export "run") i32.const 0 call_indirect))` },
  { name: 'unreachable', reason: 'opcode', text: run('unreachable') },
  { name: 'an early return', reason: 'opcode', text: run('return') },
  { name: 'a block', reason: 'opcode', text: run('block end') },
  { name: 'an if', reason: 'opcode', text: run('i32.const 1 if end') },
  { name: 'a trapping division', reason: 'opcode', text: run('i32.const 1 i32.const 0 i32.div_s drop') },
  { name: 'a trapping truncation', reason: 'opcode', text: run('f32.const nan i32.trunc_f32_s drop') },
  { name: 'float64 arithmetic', reason: 'opcode', text: run('f64.const 1 f64.const 2 f64.add drop') },
  {
    name: 'an atomic',
    reason: 'malformed',
    text: '(module (memory (export "memory") 1 1) (func (export "run") i32.const 0 i32.const 1 i32.atomic.rmw.add drop))',
  },
  { name: 'an endless loop', reason: 'opcode', text: run('i32.const 1 local.set 0 loop br 0 end', '(local i32)') },
  { name: 'a loop without a count', reason: 'loop', text: run('loop end') },
  { name: 'a loop with a computed count', reason: 'loop', text: run(counted('', 'i32.const 0 i32.load'), '(local i32)') },
  { name: 'a loop that counts from zero', reason: 'loop', text: run(counted('', 'i32.const 0'), '(local i32)') },
  { name: 'a loop that counts from below zero', reason: 'loop', text: run(counted('', 'i32.const -1'), '(local i32)') },
  { name: 'a loop body that writes its counter', reason: 'loop', text: run(counted('i32.const 9 local.set 0'), '(local i32)') },
  { name: 'a loop body that tees its counter', reason: 'loop', text: run(counted('i32.const 9 local.tee 0 drop'), '(local i32)') },
  { name: 'nested loops with one counter', reason: 'loop', text: run(counted(counted('')), '(local i32)') },
  { name: 'a branch out of turn', reason: 'loop', text: run(counted('i32.const 1 br_if 0'), '(local i32)') },
  {
    name: 'a loop that steps by zero',
    reason: 'loop',
    text: run('i32.const 5 local.set 0 loop local.get 0 i32.const 0 i32.sub local.tee 0 br_if 0 end', '(local i32)'),
  },
  {
    name: 'a loop that tests another local',
    reason: 'loop',
    text: run('i32.const 5 local.set 0 loop local.get 0 i32.const 1 i32.sub local.tee 1 br_if 0 end', '(local i32 i32)'),
  },
  {
    name: 'a loop that branches to the one outside',
    reason: 'loop',
    text: run(
      'i32.const 5 local.set 0 loop i32.const 5 local.set 1 loop local.get 1 i32.const 1 i32.sub local.tee 1 br_if 1 end end',
      '(local i32 i32)',
    ),
  },
  { name: 'recursion', reason: 'call', text: `(module ${memory} (func $f (export "run") call $f))` },
  { name: 'mutual recursion', reason: 'call', text: `(module ${memory} (func $f (export "run") call $g) (func $g call $f))` },
  { name: 'a hidden custom section', reason: 'custom-section', text: `(module ${memory} (@custom "payload" "abc"))` },
  { name: 'an export with parameters', reason: 'export', text: `(module ${memory} (func (export "run") (param i32)))` },
  { name: 'the memory under another name', reason: 'export', text: '(module (memory (export "m") 1 1))' },
  {
    name: 'too many instructions',
    reason: 'work',
    text: run(
      'i32.const 2147483647 local.set 0 loop i32.const 2147483647 local.set 1 loop local.get 1 i32.const 1 i32.sub local.tee 1 br_if 0 end local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end',
      '(local i32 i32)',
    ),
  },
]
