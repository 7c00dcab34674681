// Encrypted inference: hashes of the encoded network, keys, request and response, with a fake source of randomness.
export async function run(): Promise<readonly string[]> {
  // The program leaves its hashes in a global, as its own tests in a page need it.
  await import('../../../packages/fhe/test/engines-program.ts')
  return [String((globalThis as { engineHashes?: string }).engineHashes)]
}
