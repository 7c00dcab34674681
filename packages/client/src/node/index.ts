export { type FileClientStore, openFileClientStore } from './file-store.ts'
