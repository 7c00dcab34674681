import { type ModuleManifest, sha256Hash } from '@tacit/protocol'
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
}
