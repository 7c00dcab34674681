export { type AeadBackend, type AeadKey, nobleAead } from './aead.ts'
export { CellReader, cellBytesRange, dataCells, encodeCell, packCells, sizeClass, unpackCells } from './cells.ts'
export { type Chunk, chunkOverheadBytes, maxChunkPlaintextBytes, parseChunk } from './chunk.ts'
export {
  AttemptReusedError,
  CellMalformedError,
  ChunkAlteredError,
  ChunkMalformedError,
  ChunkOutOfOrderError,
  ChunkReplayedError,
  CounterExhaustedError,
  EncapsulationRejectedError,
  PacingInvalidError,
  PrekeyErasedError,
  PrekeyExpiredError,
  PrekeyInvalidError,
  RandomSourceError,
  SessionErasedError,
  SessionError,
  StreamFinishedError,
  StreamTruncatedError,
  UpstreamOverflowError,
  WrongSessionError,
} from './errors.ts'
export { Franker, type FrankingContext, frank, frankingKeyBytes, generateFrankingKey, verifyOpening } from './franking.ts'
export { acceptSession, openSession } from './open-session.ts'
export type { OpenedChunk, Opener } from './opener.ts'
export { Pacer, type Release, type ReleasedCell, type ReleaseMode, UpstreamPacer } from './pacer.ts'
export {
  assertPrekeyUsable,
  encodePrekey,
  generatePrekey,
  type PrekeyRecord,
  type PrekeySecret,
  prekeyId,
  prekeyLifetimeSeconds,
} from './prekey.ts'
export type { RandomSource } from './random.ts'
export type { Sealer } from './sealer.ts'
export { attemptNonceBytes, type Direction, type Role, type Session, type StreamId } from './session.ts'
export { encodeSessionInfo, type SessionInfo, sessionProtocolId } from './session-info.ts'
export { type SuiteName, type SuiteParameters, suites } from './suite.ts'
