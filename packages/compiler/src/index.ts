export { type CompileEncryptedOptions, compileEncrypted, describePlan, type EncryptedModel } from './encrypted/compile-encrypted.ts'
export { type CompiledModel, type CompileOptions, compileModel, type ModelSource } from './compile-model.ts'
export { CompilerError, OverMemoryError, ProfileError, SelfCheckError, UnsupportedNodeError } from './errors.ts'
