"""Customers, contacts and tags."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import querysets
from tickets.api.errors import forbidden
from tickets.api.filters import ContactFilter, CustomerFilter, TagFilter
from tickets.api.schema import ERRORS
from tickets.api.serializers.customers import (
    ContactSerializer,
    ContactWriteSerializer,
    CustomerSerializer,
    CustomerWriteSerializer,
    TagSerializer,
)
from tickets.api.views.base import ListAndDetail
from tickets.models import Contact, Customer, Tag
from tickets.permissions import may_set_domains
from tickets.services.customers import delete_contact, delete_customer, save_contact, save_customer

_CUSTOMER_ID = OpenApiParameter("customer_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_CONTACT_ID = OpenApiParameter("contact_id", OpenApiTypes.INT, OpenApiParameter.PATH)
_TAG_ID = OpenApiParameter("tag_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(summary="List customers", responses={200: CustomerSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One customer", parameters=[_CUSTOMER_ID], responses={200: CustomerSerializer, **ERRORS}
    ),
)
class CustomerViewSet(ListAndDetail):
    rights_model = Customer
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter
    lookup_url_kwarg = "customer_id"
    sorts = {"newest": ("-created_at", "-id")}

    def rows(self) -> QuerySet[Customer]:
        return querysets.customers_for(self.user)

    def _save(self, customer: Customer, fields: dict[str, Any], status: int) -> Response:
        domains = fields.pop("domains", None)
        if domains is not None and not may_set_domains(self.user, is_new=customer.pk is None):
            raise forbidden(
                "domains",
                "You need the permissions to add, change and delete customer domains for this, and to see all tickets.",
            )
        for name, value in fields.items():
            setattr(customer, name, value)
        save_customer(actor=self.actor, customer=customer, domains=domains)
        fresh = Customer.objects.prefetch_related("domains").get(pk=customer.pk)
        return self.shown(fresh, status)

    @extend_schema(
        summary="Add a customer",
        request={"application/json": CustomerWriteSerializer},
        responses={201: CustomerSerializer, **ERRORS},
    )
    def create(self, request: Request) -> Response:
        return self._save(Customer(), self.body(CustomerWriteSerializer), 201)

    @extend_schema(
        summary="Change a customer",
        parameters=[_CUSTOMER_ID],
        request={"application/json": CustomerWriteSerializer},
        responses={200: CustomerSerializer, **ERRORS},
    )
    def partial_update(self, request: Request, customer_id: str) -> Response:
        customer: Customer = self.get_object()
        return self._save(customer, self.body(CustomerWriteSerializer, partial=True), 200)

    @extend_schema(
        summary="Delete a customer",
        description="Its tickets and contacts stay, without a customer.",
        parameters=[_CUSTOMER_ID],
        responses={204: None, **ERRORS},
    )
    def destroy(self, request: Request, customer_id: str) -> Response:
        delete_customer(actor=self.actor, customer=self.get_object())
        return Response(status=204)


@extend_schema_view(
    list=extend_schema(summary="List contacts", responses={200: ContactSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(
        summary="One contact", parameters=[_CONTACT_ID], responses={200: ContactSerializer, **ERRORS}
    ),
)
class ContactViewSet(ListAndDetail):
    rights_model = Contact
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    lookup_url_kwarg = "contact_id"
    sorts = {"newest": ("-created_at", "-id")}

    def rows(self) -> QuerySet[Contact]:
        return querysets.contacts_for(self.user)

    def _save(self, contact: Contact, fields: dict[str, Any], status: int) -> Response:
        for name, value in fields.items():
            setattr(contact, name, value)
        return self.shown(save_contact(actor=self.actor, contact=contact), status)

    @extend_schema(
        summary="Add a contact",
        request={"application/json": ContactWriteSerializer},
        responses={201: ContactSerializer, **ERRORS},
    )
    def create(self, request: Request) -> Response:
        return self._save(Contact(), self.body(ContactWriteSerializer), 201)

    @extend_schema(
        summary="Change a contact",
        parameters=[_CONTACT_ID],
        request={"application/json": ContactWriteSerializer},
        responses={200: ContactSerializer, **ERRORS},
    )
    def partial_update(self, request: Request, contact_id: str) -> Response:
        contact: Contact = self.get_object()
        return self._save(contact, self.body(ContactWriteSerializer, partial=True), 200)

    @extend_schema(
        summary="Delete a contact",
        description="Tickets and comments stay, and name nobody.",
        parameters=[_CONTACT_ID],
        responses={204: None, **ERRORS},
    )
    def destroy(self, request: Request, contact_id: str) -> Response:
        delete_contact(actor=self.actor, contact=self.get_object())
        return Response(status=204)


@extend_schema_view(
    list=extend_schema(summary="List tags", responses={200: TagSerializer(many=True), **ERRORS}),
    retrieve=extend_schema(summary="One tag", parameters=[_TAG_ID], responses={200: TagSerializer, **ERRORS}),
)
class TagViewSet(ListAndDetail):
    rights_model = Tag
    serializer_class = TagSerializer
    filterset_class = TagFilter
    lookup_url_kwarg = "tag_id"
    sorts = {"name": ("name", "id"), "newest": ("-id",)}

    def rows(self) -> QuerySet[Tag]:
        return querysets.tags_for(self.user)
