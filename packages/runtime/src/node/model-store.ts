// The models a node keeps: each file under its digest, read-only, with a small description beside it. Whatever opens one
// passes the digest on, so that it is checked again on the bytes that are really loaded.
import { randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { type ParseOnnxOptions, parseOnnx } from '@tacit/model'
import type { ModelDigest } from '../engine.ts'
import { ModelMalformedError, ModelNameTakenError, ModelNotFoundError } from '../errors.ts'
import type { GgufHeader } from '../gguf.ts'
import { readGgufFile } from './gguf-file.ts'
import { openPinned, type PinnedFile } from './pinned-file.ts'

/** What kind of file a model is. */
export type ModelKind = 'gguf' | 'onnx'

/** A model of the store. */
export type StoredModel = {
  readonly name: string
  readonly kind: ModelKind
  readonly digest: ModelDigest
  readonly sizeBytes: number
  /** The file to open, together with `digest`. */
  readonly file: string
  /** What the file says about itself, such as `llama`. */
  readonly architecture?: string
  readonly contextTokens?: number
  readonly dimensions?: ParseOnnxOptions['dimensions']
  /** What every face must say beside its answers. */
  readonly notice?: string
}

/** How to add a file. */
export type AddModelOptions = {
  /** How to call it; the file's name without its ending when absent. */
  readonly name?: string
  /** `copy` keeps a private copy (sharing blocks where the file system can), `link` only remembers where the file lies. */
  readonly keep?: 'copy' | 'link'
  /** Values for symbolic dimensions of an ONNX file. */
  readonly dimensions?: ParseOnnxOptions['dimensions']
  /** What every face must say beside its answers. */
  readonly notice?: string
}

/** The models in one folder. */
export type ModelStore = {
  /**
   * Adds a `.gguf` or `.onnx` file after looking inside. Adding the same bytes again changes nothing.
   * @throws ModelNotFoundError, ModelMalformedError, ModelNameTakenError, and what `parseOnnx` throws
   */
  add(file: string, options?: AddModelOptions): Promise<StoredModel>
  /** By name. */
  list(): Promise<readonly StoredModel[]>
  /** By name or digest. @throws ModelNotFoundError */
  resolve(nameOrDigest: string): Promise<StoredModel>
  /** Forgets a model and deletes the private copy. @throws ModelNotFoundError */
  remove(nameOrDigest: string): Promise<void>
}

/**
 * The store in a folder, which is created when needed.
 *
 * @example
 * const store = await openModelStore('data/models')
 * const { file, digest } = await store.add('zoo/language/babble-q8_0.gguf')
 * await using engine = await openLlamaEngine({ file, digest })
 */
export async function openModelStore(folder: string): Promise<ModelStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    add: (file, options = {}) => addModel(folder, file, options),
    list: () => listStore(folder),
    resolve: (nameOrDigest) => resolveModel(folder, nameOrDigest),
    async remove(nameOrDigest) {
      const model = await resolveModel(folder, nameOrDigest)
      await rm(descriptionPath(folder, model.digest), { force: true })
      await rm(copyPath(folder, model.kind, model.digest), { force: true })
    },
  }
}

async function addModel(folder: string, file: string, { name, keep = 'copy', dimensions, notice }: AddModelOptions): Promise<StoredModel> {
  const kind = kindOf(file)
  const wanted = name ?? nameOf(file)
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(wanted))
    throw new ModelMalformedError(basename(file), 'its name is not made of letters, digits, . _ and -')
  const draft = join(folder, `.adding-${randomUUID()}`)
  try {
    // The copy is what gets checked and hashed, so nobody can write to it in between.
    if (keep === 'copy') await copyFile(file, draft).catch(notFound(file))
    await using pinned = await openPinned(keep === 'copy' ? draft : file).catch(notFound(file))
    const facts = await inspect(pinned, kind, basename(file), dimensions)
    const taken = (await listStore(folder)).find((model) => model.name === wanted || model.digest === pinned.digest)
    if (taken?.digest === pinned.digest) return taken
    if (taken !== undefined) throw new ModelNameTakenError(wanted)
    const path = keep === 'copy' ? copyPath(folder, kind, pinned.digest) : resolve(file)
    if (keep === 'copy') {
      await chmod(draft, 0o400)
      await rename(draft, path)
    }
    const model: StoredModel = {
      name: wanted,
      kind,
      digest: pinned.digest,
      sizeBytes: pinned.sizeBytes,
      file: path,
      ...facts,
      ...(notice === undefined ? {} : { notice }),
    }
    await writeDescription(folder, model)
    return model
  } finally {
    await rm(draft, { force: true })
  }
}

type Facts = Pick<StoredModel, 'architecture' | 'contextTokens' | 'dimensions'>

async function inspect(file: PinnedFile, kind: ModelKind, label: string, dimensions: ParseOnnxOptions['dimensions']): Promise<Facts> {
  if (kind === 'onnx') {
    // Its errors name what is wrong and where.
    parseOnnx(await readAll(file), dimensions === undefined ? {} : { dimensions })
    return { architecture: 'onnx', ...(dimensions === undefined ? {} : { dimensions }) }
  }
  const gguf = await readGgufFile(file.handle)
  if (!gguf.ok) throw new ModelMalformedError(label, gguf.reason)
  return ggufFacts(gguf.header, file.sizeBytes, label)
}

function ggufFacts({ metadata, tensors, dataOffset }: GgufHeader, sizeBytes: number, label: string): Facts {
  const architecture = metadata.get('general.architecture')
  if (architecture?.kind !== 'string') throw new ModelMalformedError(label, 'it names no architecture')
  if (metadata.has('split.count')) throw new ModelMalformedError(label, 'it is one part of a model that was split; join the parts first')
  if (tensors.some((tensor) => dataOffset + tensor.offset >= sizeBytes)) throw new ModelMalformedError(label, 'it is cut short')
  const context = metadata.get(`${architecture.value}.context_length`)
  return { architecture: architecture.value, ...(context?.kind === 'number' ? { contextTokens: context.value } : {}) }
}

async function readAll(file: PinnedFile): Promise<Uint8Array> {
  const bytes = Buffer.alloc(file.sizeBytes)
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesRead } = await file.handle.read(bytes, offset, bytes.length - offset, offset)
    if (bytesRead === 0) break
    offset += bytesRead
  }
  return bytes
}

async function listStore(folder: string): Promise<readonly StoredModel[]> {
  const files = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
  const models = await Promise.all(files.map((name) => readDescription(folder, join(folder, name))))
  return models.filter((model) => model !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function resolveModel(folder: string, nameOrDigest: string): Promise<StoredModel> {
  const found = (await listStore(folder)).find((model) => model.name === nameOrDigest || model.digest === nameOrDigest)
  if (found === undefined) throw new ModelNotFoundError(nameOrDigest)
  return found
}

async function writeDescription(folder: string, model: StoredModel): Promise<void> {
  const path = descriptionPath(folder, model.digest)
  const isCopy = model.file === copyPath(folder, model.kind, model.digest)
  // A copy is found by its digest, so that the folder may be moved.
  const { file, ...rest } = model
  await writeFile(`${path}.new`, `${JSON.stringify(isCopy ? rest : { ...rest, file }, null, 2)}\n`)
  await rename(`${path}.new`, path)
}

/** Undefined when the description is damaged: the model then counts as not there and can be added again. */
async function readDescription(folder: string, path: string): Promise<StoredModel | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<StoredModel>
    const { name, kind, digest, sizeBytes } = value
    if (typeof name !== 'string' || (kind !== 'gguf' && kind !== 'onnx') || typeof sizeBytes !== 'number') return undefined
    if (typeof digest !== 'string' || descriptionPath(folder, digest) !== path) return undefined
    return { ...value, name, kind, digest, sizeBytes, file: value.file ?? copyPath(folder, kind, digest) }
  } catch {
    return undefined
  }
}

function descriptionPath(folder: string, digest: ModelDigest): string {
  return join(folder, `${digest.slice('sha256:'.length)}.json`)
}

function copyPath(folder: string, kind: ModelKind, digest: ModelDigest): string {
  return join(folder, `${digest.slice('sha256:'.length)}.${kind}`)
}

function kindOf(file: string): ModelKind {
  const ending = extname(file).toLowerCase()
  if (ending === '.gguf') return 'gguf'
  if (ending === '.onnx') return 'onnx'
  throw new ModelMalformedError(basename(file), 'its name ends neither in .gguf nor in .onnx')
}

function nameOf(file: string): string {
  return basename(file, extname(file)).replace(/[^A-Za-z0-9._-]+/g, '-')
}

function notFound(file: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === 'ENOSPC') throw error
    throw new ModelNotFoundError(file)
  }
}
