export { concatBytes, equalBytes, type Hex, parseHex, toHex, utf8 } from './bytes.ts'
export { TacitError, type TacitErrorOptions } from './error.ts'
export { MalformedError } from './errors.ts'
