/** Name and version of this server; a test compares them with package.json. */
export const PRODUCT_NAME = 'identity-aware-mcp-server';
export const VERSION = '0.1.0';
