/** Name and version of this server, as package.json has them: a test compares both. */
export const PRODUCT_NAME = 'identity-aware-mcp-server';
export const VERSION = '0.1.0';
