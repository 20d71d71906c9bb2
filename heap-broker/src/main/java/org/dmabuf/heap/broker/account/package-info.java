// SPDX-License-Identifier: Apache-2.0
/** What each heap and each client has out, and the quotas and permissions that limit it. */
package org.dmabuf.heap.broker.account;
