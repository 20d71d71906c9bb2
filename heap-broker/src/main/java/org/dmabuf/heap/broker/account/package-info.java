// SPDX-License-Identifier: Apache-2.0
/** Accounts of the memory that each heap and each client has out, with the quotas and permissions that limit it. */
package org.dmabuf.heap.broker.account;
