// SPDX-License-Identifier: Apache-2.0
/** Component that assembles the broker and follows its configuration. */
package org.dmabuf.heap.broker;
