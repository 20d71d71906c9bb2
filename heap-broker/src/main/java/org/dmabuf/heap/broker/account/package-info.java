// SPDX-License-Identifier: Apache-2.0
/**
 * Accounts of the memory that is charged to each heap and each client, with the quotas and permissions that limit it.
 */
package org.dmabuf.heap.broker.account;
