import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout this tool belongs to. */
export const repositoryRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), '..')
