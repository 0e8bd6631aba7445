"""Customers with their mail domains, contacts, and tags."""

from typing import Any

from rest_framework import serializers

from tickets import querysets
from tickets.api.serializers.base import StrictSerializer, VisibleField
from tickets.api.serializers.tickets import CustomerBriefSerializer
from tickets.models import Contact, Customer, Tag


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    domains = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = ["id", "name", "notes", "domains", "created_at"]
        read_only_fields = fields

    def get_domains(self, customer: Customer) -> list[str]:
        return sorted(row.domain for row in customer.domains.all())


class CustomerWriteSerializer(StrictSerializer):
    """``domains`` replaces the old ones; a public mail provider's domain is refused."""

    name = serializers.CharField(max_length=300)
    notes = serializers.CharField(required=False, allow_blank=True, max_length=20_000)
    domains = serializers.ListField(child=serializers.CharField(max_length=253), required=False, max_length=200)


class ContactSerializer(serializers.ModelSerializer[Contact]):
    customer_detail = CustomerBriefSerializer(source="customer", read_only=True, allow_null=True)

    class Meta:
        model = Contact
        fields = ["id", "email", "name", "phone", "language", "customer", "customer_detail", "created_at"]
        read_only_fields = fields


class ContactWriteSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=320)
    name = serializers.CharField(required=False, allow_blank=True, max_length=300)
    phone = serializers.CharField(required=False, allow_blank=True, max_length=60)
    language = serializers.ChoiceField(choices=["", "en", "da"], required=False)
    customer = VisibleField(rows=querysets.customers_for, model=Customer, required=False, allow_null=True)

    def validate_email(self, value: str) -> str:
        return value.lower()


class TagSerializer(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields: Any = ["id", "name"]
        read_only_fields = fields
