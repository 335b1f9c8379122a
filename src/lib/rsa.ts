/** Minimum size of RSA keys, in bits (RFC 7518 section 3.3). */
export const MIN_RSA_BITS = 2048;
