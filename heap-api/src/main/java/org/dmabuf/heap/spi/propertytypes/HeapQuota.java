// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Limit in bytes of the charged memory, unless the broker's configuration has a quota for the heap. The component
 * property {@code heap.quota}, see {@link org.dmabuf.heap.HeapProperties#QUOTA}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapQuota {
    /** {@return the value of {@code heap.quota}} */
    long value();
}
