"""Who writes to us: customers (organisations), the domains that name them, and their contacts."""

from django.db import models
from django.db.models.functions import Lower


class Customer(models.Model):
    name = models.TextField()
    notes = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "customers"
        indexes = [
            models.Index(Lower("name"), "id", name="customers_lower_name"),
            models.Index(fields=["-created_at", "-id"], name="customers_newest"),
        ]

    def __str__(self) -> str:
        return self.name


class CustomerDomain(models.Model):
    """A mail domain whose senders belong to the customer. Never a public mail provider's."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="domains")
    domain = models.TextField()

    class Meta:
        db_table = "customer_domains"
        constraints = [
            models.UniqueConstraint(fields=["domain"], name="customer_domains_domain_once"),
            models.CheckConstraint(condition=models.Q(domain=Lower("domain")), name="customer_domains_lower"),
        ]

    def __str__(self) -> str:
        return self.domain


class Contact(models.Model):
    """A person outside, known by one address (lower case)."""

    email = models.TextField()
    name = models.TextField(blank=True, default="")
    phone = models.TextField(blank=True, default="")
    language = models.TextField(blank=True, default="")
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.SET_NULL, related_name="contacts")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "contacts"
        constraints = [
            models.UniqueConstraint(fields=["email"], name="contacts_email_once"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="contacts_email_lower"),
            models.CheckConstraint(condition=~models.Q(email=""), name="contacts_email_not_empty"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="contacts_newest")]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email
