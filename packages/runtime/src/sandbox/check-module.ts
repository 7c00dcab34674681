import { type ModuleManifest, moduleManifestSchema, sha256Hash } from '@tacit/protocol'
import { type InspectionPolicy, inspectModule } from '@tacit/wasm'
import { SandboxRefusedError } from './sandbox-errors.ts'

/**
 * Whether a module may run and is the one its manifest describes: structure, memory, and the exact work of every export.
 * @throws SandboxRefusedError
 */
export function assertModule(wasm: Uint8Array, manifest: ModuleManifest, policy: Partial<InspectionPolicy> = {}): void {
  const inspection = inspectModule(wasm, policy)
  if (!inspection.accepted) throw new SandboxRefusedError(inspection.refusal.reason, inspection.refusal.detail)
  const mismatch = (detail: string): never => {
    throw new SandboxRefusedError('manifest', detail)
  }
  if (wasm.length !== manifest.moduleBytes || sha256Hash(wasm) !== manifest.moduleSha256) mismatch('The manifest is about other bytes.')
  if (inspection.memoryPages !== manifest.memoryPages) mismatch('The memory has another size than declared.')
  const declared = new Map<string, string>([[manifest.runExport, manifest.runWork]])
  for (const layer of manifest.layers) {
    declared.set(layer.runExport, layer.runWork)
    declared.set(layer.traceExport, layer.traceWork)
  }
  for (const [name, work] of declared)
    if (String(inspection.work.get(name)) !== work) mismatch(`The export ${name} is missing or does another amount of work than declared.`)
  if (!inspection.work.has(manifest.outputsExport)) mismatch(`The export ${manifest.outputsExport} is missing.`)
  if (manifest.parallel !== undefined) assertParallel(manifest, inspection.work, mismatch)
}

/** The stages of two threads: inside the memory, of the declared work, and for neither thread more than the whole run. */
function assertParallel(manifest: ModuleManifest, work: ReadonlyMap<string, number>, mismatch: (detail: string) => never): void {
  try {
    moduleManifestSchema(manifest, 'The manifest')
  } catch (error) {
    mismatch(String(error))
  }
  const totals = [0n, 0n]
  for (const { stages } of manifest.parallel?.layers ?? [])
    for (const { runExports, runWork } of stages)
      for (const [thread, name] of runExports.entries()) {
        const declared = runWork[thread] ?? ''
        if (String(work.get(name)) !== declared) mismatch(`The export ${name} is missing or does another amount of work than declared.`)
        totals[thread] = (totals[thread] ?? 0n) + BigInt(declared)
      }
  if (totals.some((total) => total > BigInt(manifest.runWork))) mismatch('A thread would do more than a run of one thread.')
}
