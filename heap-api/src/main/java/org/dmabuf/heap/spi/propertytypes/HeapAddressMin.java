// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Lowest physical address of any byte. The component property {@code heap.address.min}, see
 * {@link org.dmabuf.heap.HeapProperties#ADDRESS_MIN}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapAddressMin {
    /** {@return the value of {@code heap.address.min}} */
    long value();
}
